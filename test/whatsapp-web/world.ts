import type { Socket } from 'node:net';
import { Directory } from './directory.js';
import { Linking } from './linking.js';
import { Mailbox } from './mailbox.js';
import type { PageConnection } from './page-connection.js';
import { PairingCodes } from './pairing-codes.js';
import {
  type Account,
  DEFAULT_ACCOUNT,
  DEFAULT_TIMING,
  type FaultSettings,
  NO_FAULTS,
  type Timing,
} from './settings.js';
import { Timers } from './timers.js';

/** Everything one stand-in knows, in memory: gone with the process, as if the account had never existed. */
export interface World {
  readonly account: Account;
  readonly linking: Linking;
  readonly codes: PairingCodes;
  readonly mailbox: Mailbox;
  readonly directory: Directory;
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
  /** Acks that are on their way. */
  readonly timers: Timers;
  readonly journal: { readonly at: number; readonly text: string }[];
}

export interface WorldOptions {
  account?: Partial<Account>;
  timing?: Partial<Timing>;
  faults?: Partial<FaultSettings>;
}

export function createWorld({ account, timing, faults }: WorldOptions = {}): World {
  const owner = { ...DEFAULT_ACCOUNT, ...account };
  return {
    account: owner,
    linking: new Linking(),
    codes: new PairingCodes(),
    mailbox: new Mailbox(owner.wid),
    directory: new Directory(),
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
