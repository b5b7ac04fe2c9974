import type { Socket } from 'node:net';
import type { Agent, PageRequest } from './browser-identity.js';
import type { ChatRecord, MessageRecord } from './chat-records.js';
import { Directory } from './directory.js';
import { Linking } from './linking.js';
import { Mailbox } from './mailbox.js';
import type { PageConnection } from './page-connection.js';
import { type PageSettings, TODAY } from './page-settings.js';
import { PairingCodes } from './pairing-codes.js';
import { createPasskeyWorld, type PasskeyWorld } from './passkey.js';
import { People } from './people.js';
import type { Overrides } from './protocol.js';
import {
  type Account,
  DEFAULT_ACCOUNT,
  DEFAULT_TIMING,
  type FaultSettings,
  NO_FAULTS,
  type Timing,
} from './settings.js';
import { Timers } from './timers.js';

/** All state of one stand-in. It is in memory only, so the account is lost with the process. */
export interface World {
  readonly account: Account;
  readonly linking: Linking;
  readonly codes: PairingCodes;
  readonly mailbox: Mailbox;
  readonly directory: Directory;
  readonly people: People;
  /** Settings of pages, from their next load on. */
  readonly page: PageSettings;
  readonly passkey: PasskeyWorld;
  /** What pages requested while they were asked for a passkey. */
  readonly disturbances: { refreshes: number; codes: number };
  /** How often pages asked about a group. */
  groupQuestions: number;
  readonly unusualChats: UnusualChat[];
  readonly unusualMessages: UnusualMessage[];
  readonly requests: PageRequest[];
  readonly agents: Map<string, Agent>;
  readonly timing: Timing;
  readonly faults: FaultSettings;
  /** Every open socket of the web server, so that it can be cut. */
  readonly sockets: Set<Socket>;
  /** One for each open websocket whose page has said hello. */
  readonly connections: Set<PageConnection>;
  /** The ids of all page loads that have ever connected. */
  readonly pagesEver: Set<string>;
  /** The most connections ever logged in as one device at the same time. More than 1 is an error. */
  mostActingAtOnce: number;
  /** Modules that pages requested and window.require lacks. */
  readonly unknownModules: Set<string>;
  /** How often pages were called to send something. */
  sendsBegun: number;
  /** Acks that are still to come, and other delayed steps of the server. */
  readonly timers: Timers;
  readonly journal: { readonly at: number; readonly text: string }[];
}

export interface UnusualChat extends Overrides {
  readonly chat: ChatRecord;
}

export interface UnusualMessage extends Overrides {
  readonly message: MessageRecord;
}

export interface WorldOptions {
  page?: Partial<PageSettings>;
  account?: Partial<Account>;
  timing?: Partial<Timing>;
  faults?: Partial<FaultSettings>;
  /** How many devices one account may have, if not as many as with WhatsApp. */
  maxDevices?: number;
}

export function createWorld({ account, page, timing, faults, maxDevices }: WorldOptions = {}): World {
  const owner = { ...DEFAULT_ACCOUNT, ...account };
  const people = new People(owner);
  return {
    account: owner,
    linking: new Linking(Date.now, maxDevices),
    codes: new PairingCodes(),
    mailbox: new Mailbox(owner.wid, Date.now, (id) => people.known(id)),
    directory: new Directory(),
    people,
    page: { ...structuredClone(TODAY), ...page },
    passkey: createPasskeyWorld(),
    disturbances: { refreshes: 0, codes: 0 },
    groupQuestions: 0,
    unusualChats: [],
    unusualMessages: [],
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

/** Adds a sentence to the journal. The phone page shows it, and a failing test can print it. */
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
