import { readdir } from 'node:fs/promises';
import type { Queue } from 'bullmq';
import { sessionKeys } from '../contract/keys.js';
import { insist } from '../platform/insist.js';
import type { Logger } from '../platform/logger.js';
import type { Redis } from '../platform/redis.js';
import { addStart } from '../platform/start-queue.js';
import { noteFileOf, readNote } from './profile.js';

interface Forgotten {
  readonly redis: Redis;
  readonly queue: Queue;
  readonly log: Logger;
  /** The supervisor closes: stop asking. */
  readonly closing: AbortSignal;
}

/**
 * Starts a session again that Redis has forgotten: the job gone and the fence too. Nobody logged out then (a logout
 * keeps the fence), Redis lost its data, and the run must come back by itself. Asks until Redis answers: it may be
 * away for long before it comes back empty. Rejects only once the supervisor closes.
 */
export async function startIfForgotten(session: string, options: Forgotten): Promise<void> {
  const { redis, queue, log, closing } = options;
  const { fence, job } = sessionKeys(session);
  const sentence = 'redis did not say whether it still knows the session; asking again';
  await insist(
    async () => {
      if ((await redis.exists(fence, job)) > 0) return;
      log.warn({ session }, 'redis lost its data; starting the session again');
      await addStart(redis, queue, session);
    },
    { signal: closing, log: log.child({ session }), sentence },
  );
}

/** The sessions that shall run as far as this machine's profiles know; a stop or a logout takes that away. */
export async function wantedSessions(authDir: string): Promise<string[]> {
  const files = await readdir(authDir).catch(() => []);
  const sessions = files.flatMap((file) => /^session-([a-z0-9-]{1,64})\.json$/.exec(file)?.[1] ?? []);
  const notes = await Promise.all(sessions.map((session) => readNote(noteFileOf(authDir, session))));
  return sessions.filter((_, i) => notes[i]?.isWanted === true);
}
