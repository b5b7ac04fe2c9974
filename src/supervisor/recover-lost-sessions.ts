import { readdir } from 'node:fs/promises';
import type { Queue } from 'bullmq';
import { sessionKeys } from '../contract/keys.js';
import { type SessionRecord, unconfigured } from '../contract/session-record.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { addStart } from '../platform/queues/start-queue.js';
import { repairStartQueue } from '../platform/queues/start-queue-repair.js';
import type { Redis } from '../platform/redis/connection.js';
import { retryUntilSuccess } from '../platform/retry.js';
import { registerIfMissing } from '../platform/store/session-register.js';
import { parseWipedEpoch } from '../platform/store/wipe-store.js';
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
    const sessions = await wantedSessions(this.#options.authDir);
    await Promise.all(sessions.map((each) => this.#untilRecovered(each)));
  }

  /** Recovers a session that ran here, if it is lost. Retries until Redis answers. Rejects only once `closing` aborts. */
  recover(wanted: WantedSession): Promise<void> {
    this.#known.add(wanted.session);
    return this.#untilRecovered(wanted);
  }

  #untilRecovered(wanted: WantedSession): Promise<void> {
    const { closing, log } = this.#options;
    const sentence = 'could not ask Redis whether it still knows the session; trying again';
    return retryUntilSuccess(() => this.#recover(wanted), { signal: closing, log, sentence });
  }

  async #check(mayRun: boolean): Promise<void> {
    const { redis, authDir, noticeMs, closing } = this.#options;
    const sessions = await wantedSessions(authDir);
    await repairStartQueue(
      redis,
      sessions.map(({ session }) => session),
    );
    const isLost = await Promise.all(sessions.map((each) => this.#isLost(each)));
    const lost = sessions.filter((_, i) => isLost[i]);
    if (lost.length > 0 && mayRun) await pause(noticeMs, closing);
    if (!closing.aborted) await Promise.all(lost.map((each) => this.#recover(each)));
  }

  async #isLost({ session, epoch }: WantedSession): Promise<boolean> {
    const { redis, authDir } = this.#options;
    const { heartbeat, job, wiped } = sessionKeys(session);
    if ((await redis.exists(heartbeat, job)) > 0) {
      this.#known.add(session);
      return false;
    }
    if ((parseWipedEpoch(await redis.get(wiped)) ?? 0) < epoch) return true;
    // It ran elsewhere since, and was deleted there. Redis does not remember that for ever.
    const file = noteFileOf(authDir, session);
    const note = await readNote(file);
    if (note?.isWanted && note.epoch <= epoch)
      await amendNote(file, { ...note, isWanted: false }, () => true);
    return false;
  }

  async #recover(wanted: WantedSession): Promise<void> {
    const { redis, queue, log } = this.#options;
    const { session, record } = wanted;
    if (!(await this.#isLost(wanted))) return;
    await registerIfMissing(redis, session, record);
    if (this.#known.has(session)) log.warn({ session }, 'Redis lost the session; starting it again');
    else log.info({ session }, 'this Redis does not know the session, which is to run; starting it');
    await addStart(redis, queue, session);
  }
}

/** A session that should run. */
interface WantedSession {
  readonly session: string;
  /** Of its newest run here. */
  readonly epoch: number;
  readonly record: SessionRecord;
}

/** The sessions that should run, by this machine's profiles: started, and neither stopped nor given up since. */
async function wantedSessions(authDir: string): Promise<WantedSession[]> {
  const files = await readdir(authDir).catch(() => []);
  const sessions = files.flatMap((file) => /^session-([a-z0-9-]{1,64})\.json$/.exec(file)?.[1] ?? []);
  const notes = await Promise.all(sessions.map((session) => readNote(noteFileOf(authDir, session))));
  return sessions.flatMap((session, i) => {
    const note = notes[i];
    return note?.isWanted ? [{ session, epoch: note.epoch, record: note.record ?? unconfigured }] : [];
  });
}
