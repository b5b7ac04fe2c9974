import { bounds } from '../../contract/bounds.js';
import { ApiError } from '../../contract/errors.js';
import { intentChannel } from '../../contract/keys.js';
import { defaultSession, isSessionName } from '../../contract/names.js';
import type { SessionView } from '../../contract/operations/register.js';
import type { InputOf, OutputOf } from '../../contract/operations.js';
import { placesForStart } from '../../contract/places.js';
import { type ProxyInput, proxyView, type StoredProxy } from '../../contract/proxy.js';
import { parseHeartbeat } from '../../contract/status.js';
import type { Config } from '../../platform/config/config.js';
import { sealProxyLogin } from '../../platform/proxy-login.js';
import type { Redis } from '../../platform/redis/connection.js';
import {
  findSessions,
  type ListedSession,
  listSessions,
  putSession,
  sessionNames,
  sessionsExist,
} from '../../platform/store/session-register.js';
import { removeSession } from '../../platform/store/session-removal.js';
import { tryParseStatus } from '../../platform/store/state-store.js';
import { readSupervisors } from '../../platform/store/supervisor-registry.js';
import { type Caller, mayReach } from '../core/caller.js';
import { viaRedis } from '../core/redis-errors.js';
import { invalidRequest } from '../core/validation.js';
import { type ConfiguredSession, effectiveStatus, toldTo } from './effective-status.js';

/** Which sessions there are, for the callers of the API. All methods throw `redis_unavailable`. */
export interface SessionRegister {
  /**
   * Throws `session_not_found` unless there is one of each name for the caller, `redis_unavailable` if that is not known, and
   * `invalid_request` if it is no name.
   */
  assertExist(caller: Caller, names: readonly string[]): Promise<void>;
  view(caller: Caller, name: string): Promise<SessionView | null>;
  /** A page of those that the caller may reach. */
  list(caller: Caller, input: InputOf<'sessions'>): Promise<OutputOf<'sessions'>>;
  /** The names of all. */
  names(): Promise<readonly string[]>;
  /** Whether it is new. Throws `too_many_sessions`, `session_not_ready` beside a supervisor of an earlier version, and `invalid_request` for a password that cannot be encrypted here. */
  put(
    caller: Caller,
    name: string,
    changes: Omit<InputOf<'putSession'>, 'session' | 'start'>,
  ): Promise<boolean>;
  /** When the session of this name was made; undefined: there is none. */
  madeAt(name: string): Promise<string | null | undefined>;
  /** Removes the session that was made at that time. `runs`: end its run first. `other`: there is another one by now, or none. */
  remove(name: string, madeAt: string | null): Promise<'removed' | 'runs' | 'other'>;
}

/** Sessions that one script looks at, for a filter by state, and how many scripts a call may take. */
const pageSize = 500;
const mostPages = 4;

export function createSessionRegister(
  redis: Redis,
  configured: Omit<ConfiguredSession, 'session'> & Pick<Config, 'credentialsKeys'>,
): SessionRegister {
  function storedProxy(session: string, { server, username, password }: ProxyInput): StoredProxy {
    if (username === undefined || password === undefined) return { server, login: null };
    const [key] = configured.credentialsKeys;
    if (key === undefined) throw withoutKey();
    return { server, login: sealProxyLogin({ username, password }, key, { session, server }) };
  }

  function viewOf(caller: Caller, { session, record, texts }: ListedSession): SessionView {
    const [stored = null, beat = null, start = null, ended = null, places = null] = texts;
    const heartbeat = parseHeartbeat(beat);
    const waiting = heartbeat === 'live' ? null : placesForStart(start, ended, places);
    const state = stored === null ? null : tryParseStatus(stored);
    const status = toldTo(caller, effectiveStatus(state, heartbeat, waiting, { ...configured, session }));
    const { created_at, metadata, ignore, proxy } = record;
    return { session, created_at, metadata, ignore, proxy: proxyView(proxy), status };
  }

  /** A supervisor of the version before would run the session without its configuration, and its events would not be told. */
  async function refuseBesideEarlierVersion(name: string): Promise<void> {
    const { exist } = await sessionsExist(redis, [name]);
    if (exist[0]) return;
    const earlier = (await readSupervisors(redis)).find(({ facts }) => facts === null);
    if (earlier === undefined) return;
    throw new ApiError(
      'session_not_ready',
      `the supervisor ${earlier.supervisor} is of an earlier version, which knows only the session ${defaultSession}: update it first`,
      { details: { state: 'stopped' }, headers: { 'retry-after': '30' } },
    );
  }

  /** This replica has seen that a supervisor had checked the register. */
  let wasChecked = false;

  return {
    async assertExist(caller, names) {
      if (!names.every(isSessionName)) throw notAName();
      const beyond = names.find((name) => !mayReach(caller, name));
      if (beyond !== undefined) throw sessionNotFound(beyond, caller);
      if (names.every((name) => name === defaultSession)) return;
      const { exist, isChecked } = await viaRedis(() => sessionsExist(redis, names));
      wasChecked ||= isChecked;
      const missing = names.find((_, i) => !exist[i]);
      if (missing === undefined) return;
      if (wasChecked && !isChecked) throw notKnownYet(missing);
      throw sessionNotFound(missing, caller);
    },

    async view(caller, name) {
      const [listed] = await viaRedis(() => listSessions(redis, { only: [name] }));
      return listed === undefined ? null : viewOf(caller, listed);
    },

    async list(caller, { limit, cursor = null, state = null }) {
      const sessions: SessionView[] = [];
      const add = (page: readonly ListedSession[]) =>
        sessions.push(
          ...page
            .map((each) => viewOf(caller, each))
            .filter(({ status }) => state === null || status.state === state),
        );
      if (caller.boundTo !== null) {
        const only = caller.boundTo.filter((name) => cursor === null || name > cursor).sort();
        add(await viaRedis(() => listSessions(redis, { only })));
      }
      let after = cursor;
      let isCut = false;
      for (let pages = 0; caller.boundTo === null && sessions.length <= limit; pages++) {
        const count = state === null ? limit + 1 : pageSize;
        isCut = pages === mostPages;
        if (isCut) break;
        const page = await viaRedis(() => listSessions(redis, { after, count }));
        add(page);
        if (page.length < count) break;
        after = page.at(-1)?.session ?? null;
      }
      const listed = sessions.slice(0, limit);
      const hasMore = sessions.length > limit;
      return {
        ok: true,
        count: listed.length,
        sessions: listed,
        // With few in the state, the next call goes on where this one stopped to look.
        next_cursor: hasMore ? (listed.at(-1)?.session ?? null) : isCut ? after : null,
      };
    },

    names: () => viaRedis(() => sessionNames(redis)),

    async put(caller, name, { proxy, ...others }) {
      const changes = { ...others, proxy: proxy && storedProxy(name, proxy) };
      await viaRedis(() => refuseBesideEarlierVersion(name));
      const result = await viaRedis(() => putSession(redis, name, changes));
      if (result === 'full') throw tooManySessions(caller);
      // A hint for its supervisor, which keeps a copy.
      await viaRedis(() => redis.publish(intentChannel, name));
      return result === 'made';
    },

    async madeAt(name) {
      const [record] = await viaRedis(() => findSessions(redis, [name]));
      return record?.created_at;
    },

    remove: (name, madeAt) => viaRedis(() => removeSession(redis, name, madeAt)),
  };
}

/** What it says depends on the caller, and not on whether the session exists. */
export function sessionNotFound(name: string, { boundTo }: Pick<Caller, 'boundTo'>): ApiError {
  const httpHint =
    boundTo === null
      ? `PUT /api/sessions/${name} makes it, GET /api/sessions lists those there are`
      : 'the key is for the sessions that GET /api/sessions lists';
  return new ApiError('session_not_found', `there is no session ${name}`, { httpHint });
}

/** A caller who is told that there is none may make it anew, without its configuration. */
function notKnownYet(name: string): ApiError {
  const message = `it is not known whether there is a session ${name}: Redis has lost its data, and no supervisor has checked yet which there were; try again shortly`;
  return new ApiError('redis_unavailable', message, { headers: { 'retry-after': '5' } });
}

function withoutKey(): ApiError {
  const message =
    'cannot be stored without WHATSAPP_CREDENTIALS_KEY, which encrypts it: set it here and for all supervisors';
  return invalidRequest([{ path: 'proxy.password', message }]);
}

function notAName(): ApiError {
  return invalidRequest([{ path: 'session', message: 'must be 1-64 characters of a-z, 0-9 and -' }]);
}

function tooManySessions({ boundTo }: Pick<Caller, 'boundTo'>): ApiError {
  if (boundTo !== null) {
    const message = 'there is no room for a further session now; ask whoever runs the server';
    return new ApiError('too_many_sessions', message, { bound: 'sessions' });
  }
  return new ApiError('too_many_sessions', `there are ${bounds.sessions} sessions, as many as there may be`, {
    httpHint: 'DELETE one first',
    bound: 'sessions',
  });
}
