import { defaultSession } from '../../contract/names.js';
import type { SessionView } from '../../contract/operations/register.js';
import {
  type CommandInputOf,
  type ForwardedOperationName,
  type InputOf,
  isForwarded,
  type OutputOf,
  rows,
} from '../../contract/operations.js';
import { productName } from '../../contract/product.js';
import type { Redis } from '../../platform/redis/connection.js';
import type { BrowserLogins } from '../auth/browser-logins.js';
import { qrLinkPath } from '../auth/qr-link-routes.js';
import type { RateLimits } from '../auth/rate-limits.js';
import { answerPasskey } from '../commands/answer-passkey.js';
import type { CommandCall } from '../commands/command-context.js';
import { pairingCode } from '../commands/pairing-code.js';
import { readSession } from '../commands/read.js';
import { sendMessage } from '../commands/send-message.js';
import { findJobView } from '../commands/send-status.js';
import type { Caller } from '../core/caller.js';
import { Json } from '../core/responses.js';
import { deleteSession, onlyLoggedOut } from '../session/delete-session.js';
import { toldTo } from '../session/effective-status.js';
import { endSession, logOut } from '../session/end-session.js';
import { type SessionRegister, sessionNotFound } from '../session/session-register.js';
import { startSession } from '../session/start-session.js';
import type { Sessions } from '../sessions.js';
import type { AnyHandler, Call, Handlers, Result } from './call.js';
import type { KeyHandlers } from './key-handlers.js';
import { listSupervisors } from './list-supervisors.js';

/**
 * The handlers of all operations. An operation whose output is the session worker's answer needs no handler of its own: its row and
 * its function in the session worker are enough.
 */
export function createHandlers(
  sessions: Sessions,
  logins: Pick<BrowserLogins, 'makeQrLink'>,
  limits: Pick<RateLimits, 'countPasskeyCall'>,
  keyHandlers: KeyHandlers,
  redis: Redis,
): Handlers {
  const { register, log } = sessions;
  const own: Omit<Handlers, ForwardedOperationName> = {
    ...keyHandlers,

    async health(_input, { session, caller, baseUrl }) {
      const facts = JSON.stringify({ ok: true, name: productName, mcp: `${baseUrl}/mcp` });
      const { json, backup } = await session.reader.health(caller);
      const rest = `"status":${json.text},"credentials_backup":${JSON.stringify(backup)}`;
      return { body: new Json(`${facts.slice(0, -1)},${rest}}`) };
    },

    async status(_input, { session, caller }) {
      return { body: (await session.reader.status(caller)).json };
    },

    async startAuth(_input, call) {
      const { run } = call.session.commands;
      const status = await startSession(run, commandCallOf(call, run.timing.authStartWaitMs));
      return { body: toldTo(call.caller, status) };
    },

    async pairingCode(input, call) {
      return { body: await pairingCode(call.session.commands, input, commandCallOf(call)) };
    },

    send(input, call) {
      // With both preferences the caller waits first, and gets the job when the wait is over (RFC 7240, 4.3).
      return sendMessage(
        call.session.commands,
        input,
        call.idempotencyKey === null ? null : { keyName: call.keyName, key: call.idempotencyKey },
        commandCallOf(call, call.respondAsync ? 0 : undefined),
      );
    },

    async job({ id }, { session }) {
      return { body: await findJobView(session.commands.jobs, id) };
    },

    async passkey(_input, { session }) {
      return { body: await session.reader.passkey() };
    },

    async passkeyAnswer(input, call) {
      return { body: await answerPasskey(call.session.commands, input, commandCallOf(call)) };
    },

    async stop(_input, { session }) {
      await endSession(session.commands.run, 'stop');
      return { body: { ok: true } };
    },

    async qrLinks({ ttl_s, session }, { caller, baseUrl, requestId, keyName }) {
      await register.assertExist(caller, [session]);
      const token = await logins.makeQrLink(session, caller, ttl_s);
      log.info({ session, requestId, key: keyName }, 'a QR link was made');
      const expires_at = new Date(Date.now() + ttl_s * 1_000).toISOString();
      return { body: { ok: true, url: baseUrl + qrLinkPath(token), expires_at } };
    },

    async sessions(input, { caller }) {
      return { body: await register.list(caller, input) };
    },

    async session({ session }, { caller }) {
      return { body: await viewOf(register, caller, session) };
    },

    async putSession({ session: name, start, ...changes }, { caller, baseUrl, requestId, keyName }) {
      const isNew = await register.put(caller, name, changes);
      log.info({ session: name, requestId, key: keyName }, isNew ? 'session made' : 'session changed');
      if (start) await startSession((await sessions.find(caller, name)).commands.run, atOnce);
      const headers: Record<string, string> = isNew ? { location: `${baseUrl}/api/sessions/${name}` } : {};
      return { status: isNew ? 201 : 200, body: await viewOf(register, caller, name), headers };
    },

    async deleteSession({ session: name }, { caller }) {
      if (name === defaultSession) throw onlyLoggedOut();
      const session = await sessions.find(caller, name);
      return { body: { ok: true, ...(await deleteSession(session, sessions)) } };
    },

    async logout(_input, { session }) {
      return { body: { ok: true, ...(await logOut(session.commands.run)) } };
    },

    async supervisors() {
      return { body: await listSupervisors(redis) };
    },
  };
  return withPasskeyLimit({ ...asking, ...own }, limits);
}

/** A start that is not waited for. */
const atOnce = { waitMs: 0, signal: new AbortController().signal };

async function viewOf(
  register: SessionRegister,
  caller: Caller,
  name: string,
): Promise<{ ok: true } & SessionView> {
  await register.assertExist(caller, [name]);
  const view = await register.view(caller, name);
  if (view === null) throw sessionNotFound(name, caller);
  return { ok: true, ...view };
}

/** A handler that asks the session worker, for every operation whose output is the worker's answer. */
const asking = Object.fromEntries(
  rows
    .map(([name]) => name)
    .filter(isForwarded)
    .map((name) => [name, handlerThatAsks(name)]),
) as unknown as Pick<Handlers, ForwardedOperationName>;

function handlerThatAsks<Name extends ForwardedOperationName>(
  name: Name,
): (input: InputOf<Name>, call: Call) => Promise<Result<OutputOf<Name>>> {
  return async (input, call) => ({
    body: await readSession(call.session.commands, name, input as CommandInputOf<Name>, commandCallOf(call)),
  });
}

/** Counts the calls that go on with a request for a passkey, for each session. */
function withPasskeyLimit(
  handlers: Handlers,
  { countPasskeyCall }: Pick<RateLimits, 'countPasskeyCall'>,
): Handlers {
  const limited = rows
    .filter(([, { limitOfSession }]) => limitOfSession === 'passkeys')
    .map(([name]) => {
      const handle = handlers[name] as AnyHandler;
      const counted = async (input: never, call: Call) => {
        await countPasskeyCall(call.session.name);
        return handle(input, call);
      };
      return [name, counted];
    });
  return { ...handlers, ...Object.fromEntries(limited) };
}

function commandCallOf(
  { preferredWaitS, waiter, session, ...call }: Call,
  fallbackMs = session.commands.run.timing.commandWaitMs,
): CommandCall {
  const waitMs = preferredWaitS === null ? fallbackMs : preferredWaitS * 1_000;
  return { ...call, session: session.name, waitMs, signal: waiter.signal };
}
