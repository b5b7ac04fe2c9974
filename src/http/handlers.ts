import type { z } from 'zod';
import type { OperationName, OutputOf, operations } from '../contract/operations.js';
import type { Visits } from './auth/browser-logins.js';
import type { CommandAccess, CommandCall } from './commands/context.js';
import { viewJob } from './commands/job-view.js';
import { pairingCode } from './commands/pairing-code.js';
import { readSession } from './commands/read.js';
import { type AcceptedJob, sendMessage } from './commands/send-message.js';
import { Json } from './core/json.js';
import { productName } from './product.js';
import { endSession } from './session/end-session.js';
import type { SessionReader } from './session/session-reader.js';
import { startSession } from './session/start-session.js';

/** What a caller says beside the input, whatever it speaks. */
export interface Call {
  /** Where this product is reached, without a slash at the end. */
  readonly baseUrl: string;
  /** `Prefer: wait`; null where nothing usable was said. */
  readonly preferredWaitS: number | null;
  /** `Prefer: respond-async`: of a send rather its job than a wait for its outcome. */
  readonly respondAsync: boolean;
  /** Makes it safe to repeat a send; 1-255 printable ASCII characters. */
  readonly idempotencyKey: string | null;
  readonly requestId: string;
  /** Of the caller's API key; `''` without keys. */
  readonly keyName: string;
  /** Who the caller is to limits: the key; without one, the address. */
  readonly callerName: string;
  /** Whoever waits for the answer: the signal aborts when nobody does any more. */
  readonly waiter: { readonly signal: AbortSignal };
}

export interface Result<Output> {
  /** The output; or the same as JSON already, where the writer stored what the reader sends. */
  readonly body: Output | Json<Output>;
  /** 200 where absent. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One handler for each operation of the table; forgetting one is a type error. */
export type Handlers = {
  readonly [Name in OperationName]: (
    input: z.infer<(typeof operations)[Name]['input']>,
    call: Call,
  ) => Promise<Result<Name extends 'send' ? OutputOf<Name> | AcceptedJob : OutputOf<Name>>>;
};

export function createHandlers(
  reader: SessionReader,
  access: CommandAccess,
  makeQrLink: Visits['makeQrLink'],
): Handlers {
  const { run } = access;

  function waiting(
    { preferredWaitS, waiter, ...call }: Call,
    fallbackMs = run.timing.commandWaitMs,
  ): CommandCall {
    const waitMs = preferredWaitS === null ? fallbackMs : preferredWaitS * 1_000;
    return { ...call, waitMs, signal: waiter.signal };
  }

  return {
    async health(_input, { baseUrl }) {
      const facts = JSON.stringify({ ok: true, name: productName, mcp: `${baseUrl}/mcp` });
      const { json, backup } = await reader.health();
      const rest = `"status":${json.text},"credentials_backup":${JSON.stringify(backup)}`;
      return { body: new Json(`${facts.slice(0, -1)},${rest}}`) };
    },

    async status() {
      return { body: (await reader.status()).json };
    },

    async startAuth(_input, call) {
      return { body: await startSession(run, waiting(call, run.timing.authStartWaitMs)) };
    },

    async pairingCode(input, call) {
      return { body: await pairingCode(access, input, waiting(call)) };
    },

    send(input, call) {
      // With both preferences the wait comes first, and the job where it is over (RFC 7240, 4.3).
      return sendMessage(
        access,
        input,
        call.idempotencyKey === null ? null : { owner: call.keyName, key: call.idempotencyKey },
        waiting(call, call.respondAsync ? 0 : undefined),
      );
    },

    async job({ id }) {
      return { body: await viewJob(access.looks, id) };
    },

    async chats(input, call) {
      return { body: await readSession(access, 'chats', input, waiting(call)) };
    },

    async messages(input, call) {
      return { body: await readSession(access, 'messages', input, waiting(call)) };
    },

    async number(input, call) {
      return { body: await readSession(access, 'number', input, waiting(call)) };
    },

    async stop() {
      await endSession(run, 'stop');
      return { body: { ok: true } };
    },

    async qrLinks({ ttl_s }, { baseUrl, keyName }) {
      const token = await makeQrLink(keyName, ttl_s);
      const expires_at = new Date(Date.now() + ttl_s * 1_000).toISOString();
      return { body: { ok: true, url: `${baseUrl}/link/${token}`, expires_at } };
    },

    async logout() {
      const { unlinked } = await endSession(run, 'logout');
      return { body: { ok: true, unlinked } };
    },
  };
}
