import { join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { OnBound } from '../contract/bounds.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import { webVersionsFolder } from '../contract/web-version.js';
import { withDeadline } from '../platform/deadline.js';
import { collectGarbage } from '../platform/garbage.js';
import { createLogger } from '../platform/logger.js';
import { connectPatiently } from '../platform/redis/connection.js';
import { EventRelay } from './event-relay.js';
import { People } from './people.js';
import { SessionWorker } from './session-worker.js';
import { StateWriter } from './state-writer.js';

/**
 * The thread's entry. It loads its modules ahead of being needed, and becomes an incarnation with its first message.
 * Anything that throws here, or rejects unseen inside the library, ends this thread and nothing else: the supervisor
 * sees why and starts the next incarnation.
 */
if (parentPort === null) throw new Error('this module is the entry of a worker thread');
const port: MessagePort = parentPort;

/** After which a thread in stock counts as resting; one that begins at once is on its way to `ready` until then. */
const restMs = 10_000;

let receive: ((message: ToThread) => void) | null = null;
port.on('message', (message: ToThread) => {
  if (message.type === 'begin') receive = begin(message.data);
  else if (receive !== null) receive(message);
  else if (message.type === 'stop') port.close();
});

// What loading the modules left behind.
setTimeout(collectGarbage, restMs).unref();

function begin(data: ThreadData): (message: ToThread) => void {
  const { run, timing } = data;
  const log = createLogger(data.logLevel, {
    part: 'session-worker',
    session: run.session,
    incarnation: `${run.epoch}.${run.incarnation}`,
  });
  const say = (message: FromThread) => port.postMessage(message);
  const redis = connectPatiently(data.redisUrl, timing, log);
  const onBound: OnBound = (bound) => say({ type: 'bound', bound });
  const writer = new StateWriter(redis, run, log, (fence) => say({ type: 'fenced', fence }), onBound);
  const relay = new EventRelay(redis, () => writer.run, log, onBound);
  const people = new People(redis, run.session, () => worker.account?.wid ?? null, log, onBound);
  const worker: SessionWorker = new SessionWorker({
    data,
    writer,
    relay,
    onBound,
    people,
    log,
    say,
    webVersionsDir: join(run.auth_dir, webVersionsFolder),
  });

  const alive = setInterval(() => say({ type: 'alive' }), timing.loopBeatIntervalMs);
  say({ type: 'alive' });
  return (message) => {
    if (message.type === 'stop') void stop();
    else if (message.type !== 'begin') worker.receive(message);
  };

  async function stop(): Promise<void> {
    clearInterval(alive);
    await withDeadline(
      Promise.all([worker.stop(), writer.stop(), relay.stop()]),
      2_000,
      'the session worker',
    ).catch(() => undefined);
    redis.disconnect();
    say({ type: 'stopped' });
    port.close();
  }
}
