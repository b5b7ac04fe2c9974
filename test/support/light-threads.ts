import type { Worker } from 'node:worker_threads';
import { pino } from 'pino';
import type { Account, Fence, SessionState } from '../../src/contract/status.js';
import type { FromThread, ThreadData } from '../../src/contract/thread-messages.js';
import { RemoteConnection } from '../../src/platform/redis/remote-connection.js';
import { StateWriter } from '../../src/session-worker/state-writer.js';

/** What a light thread (programs/light-thread.ts) says to its process, besides what a session worker says to its supervisor. */
export type FromLightThread =
  | { readonly type: 'light-begin'; readonly data: ThreadData }
  | { readonly type: 'light-state'; readonly state: SessionState; readonly account: Account | null }
  | { readonly type: 'light-fence'; readonly fence: Fence }
  | { readonly type: 'light-stop' };

export type ToLightThread =
  /** The thread passes it on to the supervisor. */
  { readonly type: 'light-say'; readonly message: FromThread } | { readonly type: 'light-stopped' };

export const lightThreadEntry = new URL('./programs/light-thread.js', import.meta.url);

/**
 * From now on each light thread of this process has what a session worker has: its port to the supervisor's connection to Redis, and
 * the real writer of its state.
 */
export function serveLightThreads(): void {
  process.on('worker', serve);
}

function serve(worker: Worker): void {
  const log = pino({ level: 'silent' });
  const post = (message: ToLightThread) => worker.postMessage(message);
  const say = (message: FromThread) => post({ type: 'light-say', message });
  let writer: StateWriter | null = null;
  let disconnect = () => {};

  function receive(message: FromLightThread): void {
    switch (message.type) {
      case 'light-begin': {
        const { run } = message.data;
        const redis = new RemoteConnection(message.data.redis, log);
        disconnect = () => redis.close();
        const onFenced = (fence: Fence) => say({ type: 'fenced', fence });
        writer = new StateWriter(redis, run, log, onFenced, (bound) => say({ type: 'bound', bound }));
        return;
      }
      case 'light-state': {
        const { state, account } = message;
        const none = { qr: null, pairingCode: null, passkey: null };
        return writer?.write({ state, lastError: null, account }, none);
      }
      case 'light-fence':
        return writer?.refence(message.fence);
      case 'light-stop':
        return void writer?.stop().then(() => post({ type: 'light-stopped' }));
      default:
        message satisfies never;
    }
  }

  worker.on('message', (message: FromThread | FromLightThread) => {
    if (isOfLightThread(message)) receive(message);
  });
  worker.once('exit', () => {
    void writer?.stop();
    disconnect();
  });
}

function isOfLightThread(message: FromThread | FromLightThread): message is FromLightThread {
  return message.type.startsWith('light-');
}
