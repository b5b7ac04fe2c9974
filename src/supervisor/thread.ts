import { setFlagsFromString } from 'node:v8';
import { type MessagePort, Worker } from 'node:worker_threads';
import { messageOf } from '../contract/errors.js';
import type { IncarnationExit } from '../contract/exit-reasons.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import type { Timing } from '../contract/timing.js';
import { atMost, type Deferred, deferred } from '../platform/deadline.js';

/** Enough for a client with tens of thousands of chats. Beyond it there is a leak. */
const heapLimitMb = 512;

/** The young generation grows while modules load and never shrinks: the default of 48 MB costs more than it saves. */
const youngHeapMb = 4;

type ThreadTiming = Pick<Timing, 'loopBeatIntervalMs' | 'loopHungAfterMs' | 'startDeadlineMs'>;

/**
 * The session worker's thread, seen from the supervisor. It loads its modules from construction on, and becomes an
 * incarnation with {@link begin}. `ended` resolves when the thread first reports a failure, throws, exits, runs out of memory,
 * or is silent for too long.
 */
export class SessionThread {
  readonly ended: Promise<IncarnationExit>;
  readonly #worker: Worker;
  readonly #ended: Deferred<IncarnationExit>;
  readonly #exited: Promise<void>;
  readonly #stopped: Deferred<void> = deferred();
  readonly #timing: ThreadTiming;
  #silenceTimer: NodeJS.Timeout | undefined;
  #onMessage: (message: FromThread) => void = () => {};
  #hasExited = false;
  #heardAt = performance.now();
  #hasSpoken = false;
  #isStopping = false;

  constructor(entry: URL, timing: ThreadTiming) {
    this.#timing = timing;
    this.#ended = deferred();
    this.ended = this.#ended.promise;
    // Threads that start from now on keep their heaps small: 6 MB less for each.
    setFlagsFromString('--optimize-for-size');
    this.#worker = new Worker(entry, {
      name: 'session worker',
      resourceLimits: { maxOldGenerationSizeMb: heapLimitMb, maxYoungGenerationSizeMb: youngHeapMb },
    });
    this.#worker.on('message', (message: FromThread) => {
      this.#heardAt = performance.now();
      this.#hasSpoken = true;
      if (message.type === 'failed')
        this.#ended.resolve({ reason: message.reason, message: message.message });
      if (message.type === 'stopped') this.#stopped.resolve();
      // A message that cannot be handled ends this thread, not the process with its other sessions.
      try {
        this.#onMessage(message);
      } catch (error) {
        this.#ended.resolve(exitOfError(error));
      }
    });
    this.#worker.once('error', (error) => this.#ended.resolve(exitOfError(error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#hasExited = true;
        clearInterval(this.#silenceTimer);
        this.#ended.resolve({
          reason: 'thread_exited',
          message: `the session worker exited with code ${code}`,
        });
        resolve();
      });
    });
  }

  get isAlive(): boolean {
    return !this.#hasExited;
  }

  /** Makes it an incarnation. From now on it must send signs of life. */
  begin(data: ThreadData, onMessage: (message: FromThread) => void): void {
    this.#onMessage = onMessage;
    this.#heardAt = performance.now();
    this.post({ type: 'begin', data }, [data.redis]);
    const { loopBeatIntervalMs, loopHungAfterMs, startDeadlineMs } = this.#timing;
    // It cannot send anything before it has loaded its modules, which takes long on a busy machine.
    const limitMs = () => (this.#hasSpoken ? loopHungAfterMs : startDeadlineMs);
    const check = () => {
      const silentMs = performance.now() - this.#heardAt;
      if (silentMs < limitMs()) return;
      const message = `the session worker did not respond for ${Math.round(silentMs / 1000)} s`;
      this.#ended.resolve({ reason: 'thread_hung', message });
    };
    // If our own event loop was blocked, the thread's messages are still unread: check again after them.
    this.#silenceTimer = setInterval(() => {
      if (performance.now() - this.#heardAt >= limitMs()) setImmediate(check);
    }, loopBeatIntervalMs / 2);
  }

  /** `ports`: those in the message, which move to the thread. */
  post(message: ToThread, ports: readonly MessagePort[] = []): void {
    this.#worker.postMessage(message, ports);
  }

  /** Asks it to stop; terminates it after `graceMs`, or as soon as `force` aborts. Resolves when it has exited. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    if (!this.#isStopping) this.post({ type: 'stop' });
    this.#isStopping = true;
    // `stopped` is its last message. Its exit alone may never come: a half-open connection to the browser keeps it alive.
    await atMost(Promise.race([this.#stopped.promise, this.#exited]), graceMs, force);
    await this.terminate();
  }

  async terminate(): Promise<void> {
    clearInterval(this.#silenceTimer);
    await this.#worker.terminate();
    await this.#exited;
  }
}

function exitOfError(error: unknown): IncarnationExit {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return { reason: 'thread_out_of_memory', message: `the session worker used more than ${heapLimitMb} MB` };
  }
  // Node's message for a rejection with a value that is not an Error.
  const thrown =
    /The promise rejected with the reason "(.*)"\.$/s.exec(messageOf(error))?.[1] ?? messageOf(error);
  return { reason: 'thread_threw', message: `the session worker failed: ${thrown}` };
}
