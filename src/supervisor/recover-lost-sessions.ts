import { readdir } from 'node:fs/promises';
import type { Queue } from 'bullmq';
import { sessionKeys } from '../contract/keys.js';
import type { Logger } from '../platform/logger.js';
import { addStart } from '../platform/queues/start-queue.js';
import type { Redis } from '../platform/redis/connection.js';
import { noteFileOf, readNote } from './browser/profile.js';

interface Forgotten {
  readonly redis: Redis;
  readonly queue: Queue;
  readonly log: Logger;
}

/**
 * Starts a session again whose run Redis has lost: the job gone, and no heartbeat. Nobody ended it (an end leaves a heartbeat that
 * stands), and the run must come back by itself.
 */
export async function recoverLostSession(session: string, { redis, queue, log }: Forgotten): Promise<void> {
  const { heartbeat, job } = sessionKeys(session);
  if ((await redis.exists(heartbeat, job)) > 0) return;
  log.warn({ session }, 'redis lost the run; starting the session again');
  await addStart(redis, queue, session);
}

/** The sessions that shall run as far as this machine's profiles know; a stop or a logout takes that away. */
export async function wantedSessions(authDir: string): Promise<string[]> {
  const files = await readdir(authDir).catch(() => []);
  const sessions = files.flatMap((file) => /^session-([a-z0-9-]{1,64})\.json$/.exec(file)?.[1] ?? []);
  const notes = await Promise.all(sessions.map((session) => readNote(noteFileOf(authDir, session))));
  return sessions.filter((_, i) => notes[i]?.isWanted === true);
}
