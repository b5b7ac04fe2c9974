import { readdir } from 'node:fs/promises';
import type { Queue } from 'bullmq';
import { sessionKeys } from '../contract/keys.js';
import { isSessionName } from '../contract/names.js';
import { type SessionRecord, unconfigured } from '../contract/session-record.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { addStart } from '../platform/queues/start-queue.js';
import { repairStartQueue } from '../platform/queues/start-queue-repair.js';
import { batchedScript } from '../platform/redis/batched-script.js';
import type { Redis } from '../platform/redis/connection.js';
import { retryUntilSuccess } from '../platform/retry.js';
import {
  isRegisterChecked,
  noteRegisterChecked,
  registerIfMissing,
  sessionsExist,
} from '../platform/store/session-register.js';
import { parseWipedEpoch } from '../platform/store/wipe-store.js';
import { Profile } from './browser/profile.js';
import { amendNote, noteFileOf, readNote } from './browser/profile-note.js';

interface LostSessionsOptions {
  readonly redis: Redis;
  /** The queue of starts. */
  readonly queue: Queue;
  readonly authDir: string;
  /** Within this time a run notices that Redis has lost it, and ends. */
  readonly noticeMs: number;
  readonly closing: AbortSignal;
  readonly log: Logger;
}

/**
 * Restarts sessions whose run Redis has lost: its job is gone and there is no heartbeat. A run that has ended leaves a
 * heartbeat that says `ended`. The notes beside this machine's profiles say which sessions should run.
 */
export class LostSessions {
  readonly #options: LostSessionsOptions;
  #checking: Promise<boolean> | null = null;
  /** Sessions that this Redis is known to have had. */
  readonly #known = new Set<string>();

  constructor(options: LostSessionsOptions) {
    this.#options = options;
  }

  /**
   * Repairs the queue of starts, then recovers every lost session. `mayRun`: it may run at another supervisor, whose browser must end
   * first. One check at a time. Never rejects. False: Redis refused, and the next check must do the work.
   */
  check({ mayRun }: { mayRun: boolean }): Promise<boolean> {
    this.#checking ??= this.#check(mayRun)
      .then(() => true)
      .catch((error) => {
        this.#options.log.debug({ err: error }, 'could not check the queue of starts');
        return false;
      })
      .finally(() => {
        this.#checking = null;
      });
    return this.#checking;
  }

  /** Recovers every lost session. Retries until Redis answers. Rejects only once `closing` aborts. */
  async recoverAll(): Promise<void> {
    const sessions = await notedSessions(this.#options.authDir);
    await Promise.all(sessions.map((each) => this.#untilRecovered(each)));
  }

  /** Recovers a session that ran here, if it is lost. Retries until Redis answers. Rejects only once `closing` aborts. */
  recover(run: Omit<NotedSession, 'isWanted'>): Promise<void> {
    this.#known.add(run.session);
    return this.#untilRecovered({ ...run, isWanted: true });
  }

  #untilRecovered(noted: NotedSession): Promise<void> {
    const { closing, log } = this.#options;
    const sentence = 'could not ask Redis whether it still knows the session; trying again';
    return retryUntilSuccess(() => this.#recover(noted), { signal: closing, log, sentence });
  }

  async #check(mayRun: boolean): Promise<void> {
    const { redis, authDir, noticeMs, closing } = this.#options;
    const noted = await notedSessions(authDir);
    const wanted = noted.filter(({ isWanted }) => isWanted).map(({ session }) => session);
    await repairStartQueue(redis, wanted);
    const standings = await Promise.all(noted.map((each) => this.#standingOf(each)));
    const voided = noted.filter((_, i) => standings[i] === 'voided');
    const lost = noted.filter((_, i) => standings[i] === 'lost');
    await Promise.all(voided.map((each) => this.#forget(each)));
    // Other supervisors register what they ran.
    const isChecked = await isRegisterChecked(redis);
    if ((!isChecked || lost.some(({ isWanted }) => isWanted)) && mayRun) await pause(noticeMs, closing);
    if (closing.aborted) return;
    await Promise.all(lost.map((each) => this.#recover(each)));
    if (!isChecked) await noteRegisterChecked(redis);
  }

  /** `lost`: Redis knows nothing of it. `voided`: its login was wiped elsewhere. */
  async #standingOf({ session, epoch }: NotedSession): Promise<'known' | 'voided' | 'lost'> {
    const k = sessionKeys(session);
    const [present, wiped] = await standingScript(this.#options.redis, [k.heartbeat, k.job, k.wiped], []);
    if (present > 0) {
      this.#known.add(session);
      return 'known';
    }
    return (parseWipedEpoch(wiped) ?? 0) < epoch ? 'lost' : 'voided';
  }

  /**
   * It ran elsewhere since, and its login was wiped there. If it was deleted, its profile goes too: Redis does not remember the wipe
   * for ever, and the name may be used again.
   */
  async #forget({ session, epoch }: NotedSession): Promise<void> {
    const { redis, authDir, log } = this.#options;
    const { exist } = await sessionsExist(redis, [session]);
    if (exist[0] !== true) {
      await new Profile(authDir, session).remove();
      log.info({ session }, 'removed the profile of a session that was deleted elsewhere');
      return;
    }
    const file = noteFileOf(authDir, session);
    const note = await readNote(file);
    if (note?.isWanted && note.epoch <= epoch)
      await amendNote(file, { ...note, isWanted: false }, () => true);
  }

  /** Registers it again, and starts it if it should run. */
  async #recover(noted: NotedSession): Promise<void> {
    const { redis, queue, log } = this.#options;
    const { session, record, isWanted } = noted;
    if ((await this.#standingOf(noted)) !== 'lost') return;
    await registerIfMissing(redis, session, record);
    if (!isWanted) return;
    if (this.#known.has(session)) log.warn({ session }, 'Redis lost the session; starting it again');
    else log.info({ session }, 'this Redis does not know the session, which is to run; starting it');
    await addStart(redis, queue, session);
  }
}

// KEYS heartbeat job wiped
// returns how many of heartbeat and job there are, and wiped ('' if it is missing)
const standingScript = batchedScript<[present: number, wiped: string]>(
  'readStanding',
  3,
  0,
  `return {redis.call('EXISTS', KEYS[1], KEYS[2]), redis.call('GET', KEYS[3]) or ''}`,
);

/** A session that has run on this machine. */
interface NotedSession {
  readonly session: string;
  /** Of its newest run here. */
  readonly epoch: number;
  readonly record: SessionRecord;
  /** It should run: it was neither stopped nor given up since. */
  readonly isWanted: boolean;
}

/** By the notes beside this machine's profiles. */
async function notedSessions(authDir: string): Promise<NotedSession[]> {
  const files = await readdir(authDir).catch(() => []);
  const sessions = files
    .map((file) => /^session-(.+)\.json$/.exec(file)?.[1] ?? '')
    .filter((session) => isSessionName(session));
  const notes = await Promise.all(sessions.map((session) => readNote(noteFileOf(authDir, session))));
  return sessions.flatMap((session, i) => {
    const note = notes[i] ?? null;
    if (note === null) return [];
    const { epoch, record, isWanted } = note;
    return [{ session, epoch, record: record ?? unconfigured, isWanted }];
  });
}
