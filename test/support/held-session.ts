import { deferred } from '../../src/platform/deadline.js';
import type { Replica } from './http-replica.js';
import { type Script, type ScriptedOwner, type ScriptedRun, startOwner } from './scripted-owner.js';

/** A running session whose states the test publishes. It ends when an intent says so. */
export interface HeldSession {
  readonly run: ScriptedRun;
  readonly owner: ScriptedOwner;
  close(): Promise<void>;
}

export const linkedAccount = { wid: '491511234567@c.us', pushname: 'Ada', platform: 'android' };

export async function holdSession(
  redisUrl: string,
  replica: Pick<Replica, 'post'>,
  lockMs?: number,
): Promise<HeldSession> {
  const taken = deferred<ScriptedRun>();
  const script: Script = async (run) => {
    await run.publish('starting');
    taken.resolve(run);
    const intent = await run.intent;
    await run.end('stopped', { intent, unlinked: intent.kind === 'logout' });
  };
  const owner = await startOwner(redisUrl, script, lockMs);
  await replica.post('/api/auth/start', { headers: { prefer: 'wait=0' } });
  return { run: await taken.promise, owner, close: () => owner.close() };
}
