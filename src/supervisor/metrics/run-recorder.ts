import type { OnBound } from '../../contract/bounds.js';
import type { ExitReason } from '../../contract/exit-reasons.js';
import type { PasskeyOutcome } from '../../contract/passkey.js';
import type { SessionState } from '../../contract/status.js';
import type { Recycling } from '../recycling/recycler.js';
import type { SupervisorMetrics } from './supervisor-metrics.js';

/** Records the events of one run as counts and durations. */
export class RunRecorder {
  readonly #metrics: SupervisorMetrics;
  readonly #session: string;
  /** When the incarnation started. null: it has reached `qr` or `ready`, or there is none. */
  #startedAt: number | null = null;
  #isReady = false;
  /** The last end of a `ready` incarnation, until the session is `ready` again. */
  #broken: { readonly at: number; readonly reason: ExitReason | 'recycled' } | null = null;

  constructor(metrics: SupervisorMetrics, session: string) {
    this.#metrics = metrics;
    this.#session = session;
    metrics.initialize(session);
  }

  recordIncarnationStart(): void {
    this.#startedAt = performance.now();
    this.#metrics.incarnations.inc({ session: this.#session });
  }

  recordState(state: SessionState): void {
    const now = performance.now();
    if ((state === 'qr' || state === 'ready') && this.#startedAt !== null) {
      this.#metrics.startDuration.observe({ reached: state }, (now - this.#startedAt) / 1_000);
      this.#startedAt = null;
    }
    // A person has to scan now, so the time to `ready` is not measured.
    if (state === 'qr') this.#broken = null;
    if (state === 'ready' && this.#broken !== null) {
      const { at, reason } = this.#broken;
      this.#metrics.recoveryDuration.observe({ reason }, (now - at) / 1_000);
      this.#broken = null;
    }
    this.#isReady = state === 'ready' || (this.#isReady && state === 'authenticated');
  }

  recordIncarnationEnd(reason: ExitReason | 'recycled'): void {
    if (this.#isReady) this.#broken = { at: performance.now(), reason };
    this.#isReady = false;
    this.#startedAt = null;
  }

  recordRestart(reason: ExitReason): void {
    this.#metrics.restarts.inc({ session: this.#session, reason });
  }

  recordRecycle(why: Recycling['why']): void {
    this.recordIncarnationEnd('recycled');
    this.#metrics.recycles.inc({ session: this.#session, why });
  }

  /** `answeredMs`: until the owner's answer; null: there was none. */
  recordPasskey(outcome: PasskeyOutcome, answeredMs: number | null): void {
    this.#metrics.passkeys.inc({ outcome });
    if (answeredMs !== null) this.#metrics.passkeyAnswerDuration.observe(answeredMs / 1_000);
  }

  readonly onBound: OnBound = (bound) => this.#metrics.bounds.inc({ bound });

  /** `acceptedAt`: ms, wall clock. It comes from the job in Redis, so it can be any value. */
  recordCommand(operation: string, outcome: string, acceptedAt: number): void {
    this.#metrics.commands.inc({ operation, outcome });
    const tookMs = Math.max(0, Date.now() - acceptedAt);
    if (Number.isFinite(tookMs)) this.#metrics.commandDuration.observe({ operation }, tookMs / 1_000);
  }
}
