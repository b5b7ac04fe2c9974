import type { Socket } from 'node:net';
import type { ChatRecord, MessageRecord } from './chat-records.js';
import { Directory } from './directory.js';
import { Linking } from './linking.js';
import { Mailbox } from './mailbox.js';
import type { PageConnection } from './page-connection.js';
import { type PageSettings, TODAY } from './page-settings.js';
import { PairingCodes } from './pairing-codes.js';
import { People } from './people.js';
import type { Defect } from './protocol.js';
import {
  type Account,
  DEFAULT_ACCOUNT,
  DEFAULT_TIMING,
  type FaultSettings,
  NO_FAULTS,
  type Timing,
} from './settings.js';
import { Timers } from './timers.js';
import type { Agent, PageRequest } from './visitors.js';

/** Everything one stand-in knows, in memory: gone with the process, as if the account had never existed. */
export interface World {
  readonly account: Account;
  readonly linking: Linking;
  readonly codes: PairingCodes;
  readonly mailbox: Mailbox;
  readonly directory: Directory;
  readonly people: People;
  /** What pages are like from their next load on. */
  readonly page: PageSettings;
  /** `waiting`: the pages, by id, that were asked for a passkey. */
  readonly passkey: { isAsked: boolean; readonly waiting: Set<string> };
  /** What pages that were asked for a passkey asked for meanwhile. */
  readonly disturbances: { refreshes: number; codes: number };
  /** How often pages asked about a group. */
  groupQuestions: number;
  readonly oddChats: OddChat[];
  readonly oddMessages: OddMessage[];
  readonly requests: PageRequest[];
  readonly agents: Map<string, Agent>;
  readonly timing: Timing;
  readonly faults: FaultSettings;
  /** Every open connection of the web server, so that it can be cut. */
  readonly sockets: Set<Socket>;
  /** One for each open websocket that has introduced itself. */
  readonly connections: Set<PageConnection>;
  /** The ids of all page loads that have ever connected. */
  readonly pagesEver: Set<string>;
  /** Most connections that were ever logged in as one device at the same time; above 1 is a mistake. */
  mostActingAtOnce: number;
  /** Modules that pages asked for in vain. */
  readonly unknownModules: Set<string>;
  /** How often pages were called to send something. */
  sendsBegun: number;
  /** Acks on their way. */
  readonly timers: Timers;
  readonly journal: { readonly at: number; readonly text: string }[];
}

export interface OddChat extends Defect {
  readonly chat: ChatRecord;
}

export interface OddMessage extends Defect {
  readonly message: MessageRecord;
}

export interface WorldOptions {
  page?: Partial<PageSettings>;
  account?: Partial<Account>;
  timing?: Partial<Timing>;
  faults?: Partial<FaultSettings>;
}

export function createWorld({ account, page, timing, faults }: WorldOptions = {}): World {
  const owner = { ...DEFAULT_ACCOUNT, ...account };
  const people = new People(owner);
  return {
    account: owner,
    linking: new Linking(),
    codes: new PairingCodes(),
    mailbox: new Mailbox(owner.wid, Date.now, (id) => people.known(id)),
    directory: new Directory(),
    people,
    page: { ...structuredClone(TODAY), ...page },
    passkey: { isAsked: false, waiting: new Set() },
    disturbances: { refreshes: 0, codes: 0 },
    groupQuestions: 0,
    oddChats: [],
    oddMessages: [],
    requests: [],
    agents: new Map(),
    timing: { ...DEFAULT_TIMING, ...timing },
    faults: { ...structuredClone(NO_FAULTS), ...faults },
    sockets: new Set(),
    connections: new Set(),
    pagesEver: new Set(),
    mostActingAtOnce: 0,
    unknownModules: new Set(),
    sendsBegun: 0,
    timers: new Timers(),
    journal: [],
  };
}

const MAX_JOURNAL_ENTRIES = 200;

/** Notes, in words, what happened: the phone page shows it, and a failing test can print it. */
export function note(world: World, text: string): void {
  world.journal.push({ at: Date.now(), text });
  if (world.journal.length > MAX_JOURNAL_ENTRIES) world.journal.shift();
}

/** The connections that are logged in as this device now. */
export function actingAs(world: World, deviceId: string): PageConnection[] {
  return [...world.connections].filter(
    ({ device, state }) => device?.id === deviceId && state === 'CONNECTED',
  );
}
