import { join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { OnBound } from '../contract/bounds.js';
import { webVersionsFolder } from '../contract/page.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import { collectGarbage } from '../platform/collect-garbage.js';
import { withDeadline } from '../platform/deadline.js';
import { createLogger } from '../platform/logger.js';
import { RemoteConnection } from '../platform/redis/remote-connection.js';
import { takePasskeyAnswer } from '../platform/store/passkey-answers.js';
import { EventRelay } from './event-relay.js';
import { PhoneCompleter } from './phone-completer.js';
import { SessionWorker } from './session-worker.js';
import { StateWriter } from './state-writer.js';

/**
 * The entry of the worker thread. It loads its modules first, and becomes an incarnation with its first message, `begin`.
 * An uncaught error, or a rejection inside the library, ends only this thread. The supervisor learns the reason and starts the
 * next incarnation.
 */
if (parentPort === null) throw new Error('this module is the entry of a worker thread');
const port: MessagePort = parentPort;

/** After this time a warm thread is idle. A thread that has begun at once is still starting then. */
const idleAfterMs = 10_000;

let receive: ((message: ToThread) => void) | null = null;
port.on('message', (message: ToThread) => {
  if (message.type === 'begin') receive = begin(message.data);
  else if (receive !== null) receive(message);
  else if (message.type === 'stop') port.close();
});

// Frees the memory that loading the modules took.
setTimeout(collectGarbage, idleAfterMs).unref();

function begin(data: ThreadData): (message: ToThread) => void {
  const { run, timing } = data;
  const log = createLogger(data.logLevel, {
    part: 'session-worker',
    session: run.session,
    incarnation: `${run.epoch}.${run.incarnation}`,
  });
  const post = (message: FromThread) => port.postMessage(message);
  const redis = new RemoteConnection(data.redis, log);
  const onBound: OnBound = (bound) => post({ type: 'bound', bound });
  const writer = new StateWriter(redis, run, log, (fence) => post({ type: 'fenced', fence }), onBound);
  const relay = new EventRelay(redis, () => writer.run, log, onBound);
  const phones = new PhoneCompleter(
    redis,
    () => writer.run,
    () => worker.account?.wid ?? null,
    log,
    onBound,
  );
  const worker: SessionWorker = new SessionWorker({
    data,
    writer,
    relay,
    onBound,
    phones,
    takePasskeyAnswer: (token) => takePasskeyAnswer(redis, run.session, token),
    log,
    post,
    webVersionsDir: join(run.auth_dir, webVersionsFolder),
  });

  const alive = setInterval(() => post({ type: 'alive' }), timing.loopBeatIntervalMs);
  post({ type: 'alive' });
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
    redis.close();
    post({ type: 'stopped' });
    port.close();
  }
}
