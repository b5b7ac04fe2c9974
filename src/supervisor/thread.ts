import { type MessagePort, Worker } from 'node:worker_threads';
import { messageOf } from '../contract/errors.js';
import type { IncarnationExit } from '../contract/exit-reasons.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import type { Timing } from '../contract/timing.js';
import { atMost, type Deferred, deferred } from '../platform/deadline.js';

/** Enough for a client with tens of thousands of chats; beyond it something leaks. */
const heapLimitMb = 512;

/** A young generation grows while modules load and is never given back: with the usual 48 MB it costs more than it saves. */
const youngHeapMb = 4;

type ThreadTiming = Pick<Timing, 'loopBeatIntervalMs' | 'loopHungAfterMs' | 'startDeadlineMs'>;

/**
 * The session worker's thread, seen from the supervisor: it loads its modules from its construction on, and becomes
 * an incarnation with {@link begin}. `over` settles once, by whatever comes first: the thread says that it failed,
 * throws, exits, runs out of memory, or stays silent for too long.
 */
export class SessionThread {
  readonly over: Promise<IncarnationExit>;
  readonly #worker: Worker;
  readonly #over: Deferred<IncarnationExit>;
  readonly #exited: Promise<void>;
  readonly #stopped: Deferred<void> = deferred();
  readonly #timing: ThreadTiming;
  #watch: NodeJS.Timeout | undefined;
  #onMessage: (message: FromThread) => void = () => {};
  #hasExited = false;
  #heardAt = performance.now();
  #hasSpoken = false;
  #isStopping = false;

  constructor(entry: URL, timing: ThreadTiming) {
    this.#timing = timing;
    this.#over = deferred();
    this.over = this.#over.promise;
    this.#worker = new Worker(entry, {
      name: 'session worker',
      resourceLimits: { maxOldGenerationSizeMb: heapLimitMb, maxYoungGenerationSizeMb: youngHeapMb },
    });
    this.#worker.on('message', (message: FromThread) => {
      this.#heardAt = performance.now();
      this.#hasSpoken = true;
      if (message.type === 'failed') this.#over.resolve({ reason: message.reason, message: message.message });
      if (message.type === 'stopped') this.#stopped.resolve();
      // What cannot be made of its words is its own fault, not that of whoever else runs here.
      try {
        this.#onMessage(message);
      } catch (error) {
        this.#over.resolve(exitOfError(error));
      }
    });
    this.#worker.once('error', (error) => this.#over.resolve(exitOfError(error)));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#hasExited = true;
        clearInterval(this.#watch);
        this.#over.resolve({
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

  /** From now on it must give signs of life. */
  begin(data: ThreadData, onMessage: (message: FromThread) => void): void {
    this.#onMessage = onMessage;
    this.#heardAt = performance.now();
    this.post({ type: 'begin', data });
    const { loopBeatIntervalMs, loopHungAfterMs, startDeadlineMs } = this.#timing;
    // Until it has loaded its modules it cannot speak, and on a busy machine that takes its time.
    const patienceMs = () => (this.#hasSpoken ? loopHungAfterMs : startDeadlineMs);
    const check = () => {
      const silentMs = performance.now() - this.#heardAt;
      if (silentMs < patienceMs()) return;
      const message = `the session worker did not respond for ${Math.round(silentMs / 1000)} s`;
      this.#over.resolve({ reason: 'thread_hung', message });
    };
    // After a blockade of our own loop the thread's messages are still to be read: look again behind them.
    this.#watch = setInterval(() => {
      if (performance.now() - this.#heardAt >= patienceMs()) setImmediate(check);
    }, loopBeatIntervalMs / 2);
  }

  /** `ports`: those in the message, which are the thread's from now on. */
  post(message: ToThread, ports: readonly MessagePort[] = []): void {
    this.#worker.postMessage(message, ports);
  }

  /** Asks it to stop and terminates it after `graceMs`, or as soon as `force` aborts. Resolves when it is gone. */
  async stop(graceMs: number, force: AbortSignal): Promise<void> {
    if (!this.#isStopping) this.post({ type: 'stop' });
    this.#isStopping = true;
    // What it says last; a half-open connection to the browser could keep the thread itself alive.
    await atMost(Promise.race([this.#stopped.promise, this.#exited]), graceMs, force);
    await this.terminate();
  }

  async terminate(): Promise<void> {
    clearInterval(this.#watch);
    await this.#worker.terminate();
    await this.#exited;
  }
}

function exitOfError(error: unknown): IncarnationExit {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return { reason: 'thread_out_of_memory', message: `the session worker used more than ${heapLimitMb} MB` };
  }
  // Node wraps what a promise rejected with when it is not an error.
  const thrown =
    /The promise rejected with the reason "(.*)"\.$/s.exec(messageOf(error))?.[1] ?? messageOf(error);
  return { reason: 'thread_threw', message: `the session worker failed: ${thrown}` };
}
