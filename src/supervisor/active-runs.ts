import { deferred } from '../platform/deadline.js';
import type { Lease } from './lease.js';
import type { SessionRun } from './session-run.js';

interface ActiveRun {
  readonly session: string;
  readonly run: SessionRun;
  readonly lease: Lease;
}

/** The runs of this supervisor, one for each session. */
export class ActiveRuns {
  readonly #runs = new Map<string, ActiveRun & { readonly ended: Promise<void> }>();
  readonly #onChange: () => void;

  /** `onChange`: another number of runs. */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get size(): number {
    return this.#runs.size;
  }

  get(session: string): SessionRun | undefined {
    return this.#runs.get(session)?.run;
  }

  all(): { readonly session: string; readonly run: SessionRun }[] {
    return [...this.#runs.values()];
  }

  /** Lists the run as active during `work`, and stops its lease afterwards. Settles as `work` does. */
  async during<T>({ session, run, lease }: ActiveRun, work: () => Promise<T>): Promise<T> {
    const ended = deferred<void>();
    const earlier = this.#runs.get(session);
    const active = { session, run, lease, ended: ended.promise };
    this.#runs.set(session, active);
    this.#onChange();
    try {
      // BullMQ gave the same job to this process again: the earlier run has lost its lock and not noticed it.
      earlier?.lease.forfeit('the same supervisor took the session again');
      await earlier?.ended;
      return await work();
    } finally {
      lease.stop();
      if (this.#runs.get(session) === active) this.#runs.delete(session);
      this.#onChange();
      ended.resolve();
    }
  }

  /** Asks every run to stop here and continue elsewhere. `force` ends their grace periods. Resolves when all have ended. */
  async handOverAll(force: AbortSignal): Promise<void> {
    const active = [...this.#runs.values()];
    for (const { run } of active) run.handOver();
    const forceAll = () => {
      for (const { run } of active) run.force();
    };
    force.addEventListener('abort', forceAll, { once: true });
    if (force.aborted) forceAll();
    await Promise.all(active.map(({ ended }) => ended));
  }
}
