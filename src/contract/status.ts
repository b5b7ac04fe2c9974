import { z } from 'zod';
import { bounds } from './bounds.js';
import { cutDeep } from './json-size.js';
import { pageSchema } from './page.js';
import { passkeyStatusSchema } from './passkey.js';
import { type Places, waitingSentence } from './places.js';

export const sessionStates = [
  'stopped',
  'starting',
  'qr',
  'passkey_required',
  'authenticated',
  'ready',
  'auth_failure',
  'disconnected',
] as const;

export type SessionState = (typeof sessionStates)[number];

export const accountSchema = z.object({
  wid: z.string().nullable(),
  pushname: z.string().nullable(),
  platform: z.string().nullable(),
});

export type Account = z.infer<typeof accountSchema>;

export const qrSchema = z.object({
  number: z.int().positive().describe('counts the codes of this attempt to log in, from 1'),
  issued_at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable().describe('when WhatsApp stops accepting the code; null: not known'),
});

/** The status object. The first nine fields are the reference API's, in its order; ours follow. */
export const statusSchema = z.object({
  state: z.enum(sessionStates),
  ready: z.boolean().describe('true only in `ready`'),
  authenticated: z.boolean().describe('the same as `ready`: also false in the state `authenticated`'),
  auth_dir: z.string().describe('the directory of the credentials on the machine that runs the session'),
  chrome_executable: z.string().describe('the browser that the session uses'),
  headless: z.boolean(),
  has_qr: z.boolean().describe('a QR can be scanned now'),
  last_error: z.string().nullable(),
  account: accountSchema.nullable().describe('null unless linked'),
  session: z.string(),
  epoch: z.int().nonnegative().describe('fencing token of the run; grows with every run'),
  incarnation: z
    .int()
    .nonnegative()
    .describe('grows with every new worker thread of the run, also by more than 1'),
  restarts: z.int().nonnegative().describe('restarts of the worker thread within this run'),
  supervisor: z.string().nullable().describe('the supervisor that runs the session'),
  updated_at: z.iso.datetime().nullable(),
  qr: qrSchema.nullable(),
  // Those of an earlier version have none.
  passkey: passkeyStatusSchema
    .nullable()
    .catch(null)
    .describe('the request for a passkey, in the state `passkey_required`; null: there is none'),
  // A status stored by another version may have none, or one that this version cannot parse.
  page: pageSchema.nullable().catch(null).describe('the page of WhatsApp Web; null: there is none'),
});

export type Status = z.infer<typeof statusSchema>;

/** A phone is linked, as far as the state tells. */
export function isLinkedState(state: SessionState): boolean {
  return state === 'authenticated' || state === 'ready';
}

/** The part of the status that changes with each write of a state. */
export interface StateChange {
  readonly state: SessionState;
  readonly lastError: string | null;
  readonly account: Account | null;
  readonly qr?: Status['qr'];
  readonly page?: Status['page'];
  readonly passkey?: Status['passkey'];
}

/** The part of the status that describes the run. */
export type RunFacts = Pick<
  Status,
  | 'auth_dir'
  | 'chrome_executable'
  | 'headless'
  | 'session'
  | 'epoch'
  | 'incarnation'
  | 'restarts'
  | 'supervisor'
>;

/** Builds the status with its keys in the order that the reference API pins. */
export function composeStatus(run: RunFacts, change: StateChange, updatedAt: string | null): Status {
  const isReady = change.state === 'ready';
  const qr = change.state === 'qr' ? (change.qr ?? null) : null;
  return {
    state: change.state,
    ready: isReady,
    authenticated: isReady,
    auth_dir: run.auth_dir,
    chrome_executable: run.chrome_executable,
    headless: run.headless,
    has_qr: qr !== null,
    last_error: change.lastError,
    account: change.account,
    session: run.session,
    epoch: run.epoch,
    incarnation: run.incarnation,
    restarts: run.restarts,
    supervisor: run.supervisor,
    updated_at: updatedAt,
    qr,
    passkey: change.state === 'passkey_required' ? (change.passkey ?? null) : null,
    page: change.page ?? null,
  };
}

/** Above the number of page repairs, so no valid list is cut. */
const maxListItems = 16;

/** The status with long texts cut. Errors and texts from the page come in any length. */
export function storedStatus(status: Status): Status {
  return cutDeep(status, bounds.statusText, maxListItems);
}

export const ownerGoneSentence = "the session's supervisor is gone; waiting for another";
export const noSupervisorSentence = 'no supervisor is running';

/** `live`: an owner keeps the stored state up to date. `ended`: the run is over. null: the owner is gone. */
export type Heartbeat = 'live' | 'ended' | null;

/**
 * Does not look at the TTL. A `live` without one is no owner's: the reader of a run's view ignores it and puts it in quarantine
 * (http/session/run-view.ts). Polls take it for an owner until then, and so need no further command to Redis.
 */
export function parseHeartbeat(text: string | null): Heartbeat {
  return text === 'live' || text === 'ended' ? text : null;
}

/** Whether a status still holds; false: its owner is gone. Before the first run there was none. */
export function isCurrent({ state, epoch }: Status, heartbeat: Heartbeat): boolean {
  return heartbeat !== null || state === 'stopped' || epoch === 0;
}

/**
 * The status to report in place of the stored one: `starting` if a start waits, `disconnected` if the owner is gone. `waiting`: the
 * places for a start that waits; null: none waits.
 */
export function reportedStatus(stored: Status, heartbeat: Heartbeat, waiting: Places | null): Status {
  if (heartbeat === 'live') return stored;
  const { account, updated_at } = stored;
  const run = { ...stored, supervisor: null };
  const isGone = !isCurrent(stored, heartbeat);
  // A run whose owner is gone is continued within seconds, unless there is no room for it.
  if (waiting !== null && (!isGone || waiting.room === 0)) {
    const change = { state: 'starting', lastError: waitingSentence(waiting), account } as const;
    return composeStatus(run, change, updated_at);
  }
  if (!isGone) return stored;
  return composeStatus(run, { state: 'disconnected', lastError: ownerGoneSentence, account }, updated_at);
}

/** The status of a session before its first run. */
export function neverStarted(
  facts: Pick<RunFacts, 'auth_dir' | 'chrome_executable' | 'headless' | 'session'>,
): Status {
  const run = { ...facts, epoch: 0, incarnation: 0, restarts: 0, supervisor: null };
  return composeStatus(run, { state: 'stopped', lastError: null, account: null }, null);
}

/** The fencing token of a session: only a writer with the current one may write its state. */
export interface Fence {
  readonly epoch: number;
  readonly incarnation: number;
}

export function formatFence(fence: Fence): string {
  return `${fence.epoch}.${fence.incarnation}`;
}

/** null: there is none, it is malformed, or its numbers are too large to increment safely. */
export function parseFence(text: string | null): Fence | null {
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text ?? '');
  return match ? { epoch: Number(match[1]), incarnation: Number(match[2]) } : null;
}
