import { Counter, Gauge, Histogram } from 'prom-client';
import { MiB } from '../../contract/bounds.js';
import { type ExitReason, exitReasons } from '../../contract/exit-reasons.js';
import { defaultSession } from '../../contract/names.js';
import { passkeyOutcomes } from '../../contract/passkey.js';
import type { Config } from '../../platform/config/config.js';
import { createBoundCounter } from '../../platform/metrics/bound-counter.js';
import { createDeploymentMetrics } from '../../platform/metrics/deployment-metrics.js';
import { MetricsPage } from '../../platform/metrics/metrics-page.js';
import type { Redis } from '../../platform/redis/connection.js';
import type { BrowserMemory } from '../browser/browser-memory.js';

/** What the metrics show of a run, measured when they are read. */
export interface MeasuredRun {
  readonly session: string;
  /** null: no browser runs now. */
  readonly browser: { readonly pid: number; readonly ageMs: number } | null;
}

interface SupervisorMetricsParts {
  readonly config: Config;
  readonly redis: Redis;
  readonly runs: () => readonly MeasuredRun[];
  readonly readMemory: (groupId: number) => Promise<BrowserMemory | null>;
}

const durationBuckets = [0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 60, 120, 300];

/** The metrics of a supervisor; docs/metrics.md describes each. No label holds a phone number or a person's name. */
export class SupervisorMetrics {
  readonly page: MetricsPage;
  readonly incarnations;
  readonly restarts;
  readonly recycles;
  readonly startDuration;
  readonly recoveryDuration;
  readonly commands;
  readonly commandDuration;
  readonly passkeys;
  readonly passkeyAnswerDuration;
  readonly bounds;
  readonly #parts: SupervisorMetricsParts;
  readonly #refreshDeployment: () => Promise<void>;
  readonly #sessions;
  readonly #sessionsMax;
  readonly #browserMemory;
  readonly #browserProcesses;
  readonly #browserAge;

  constructor(parts: SupervisorMetricsParts) {
    this.#parts = parts;
    this.page = new MetricsPage(parts.config.role, () => this.#refresh());
    const registers = [this.page.registry];
    const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Gauge({ name: `holdline_${name}`, help, labelNames, registers });
    const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Counter({ name: `holdline_${name}_total`, help, labelNames, registers });
    const duration = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
      new Histogram({
        name: `holdline_${name}_duration_seconds`,
        help,
        labelNames,
        buckets: durationBuckets,
        registers,
      });

    this.incarnations = counter('session_incarnations', 'Incarnations started here.', ['session']);
    this.restarts = counter('session_restarts', 'Restarts here, by why the incarnation ended.', [
      'session',
      'reason',
    ]);
    this.recycles = counter('session_recycles', 'Planned restarts on a new browser, by why.', [
      'session',
      'why',
    ]);
    this.startDuration = duration('start', 'From the start of an incarnation to its first qr or ready.', [
      'reached',
    ]);
    this.recoveryDuration = duration(
      'recovery',
      'From the end of an incarnation that had been ready to the next ready.',
      ['reason'],
    );
    this.commands = counter('commands', 'Commands settled here, by outcome.', ['operation', 'outcome']);
    this.commandDuration = duration('command', 'From the acceptance of a command to its outcome.', [
      'operation',
    ]);
    this.passkeys = counter(
      'passkey_requests',
      "WhatsApp's requests for a passkey that ended here, by outcome.",
      ['outcome'],
    );
    for (const outcome of passkeyOutcomes) this.passkeys.inc({ outcome }, 0);
    this.passkeyAnswerDuration = duration(
      'passkey_answer',
      "From WhatsApp's request for a passkey to the owner's answer.",
      [],
    );
    this.bounds = createBoundCounter(registers);
    this.#sessions = gauge('supervisor_sessions', 'Sessions that this supervisor runs.');
    this.#sessionsMax = gauge('supervisor_sessions_max', 'Sessions that it can run.');
    this.#sessionsMax.set(parts.config.maxSessions);
    const { memoryMb } = parts.config.recycling;
    gauge('browser_memory_ceiling_bytes', 'A browser that uses more memory is replaced; 0: no limit.').set(
      memoryMb * MiB,
    );
    this.#browserMemory = gauge('browser_memory_bytes', "Memory of the browser's process group.", [
      'session',
      'kind',
    ]);
    this.#browserProcesses = gauge('browser_processes', "Processes of the browser's group.", ['session']);
    this.#browserAge = gauge('browser_age_seconds', 'Since the browser was started.', ['session']);
    this.#refreshDeployment = createDeploymentMetrics({
      registry: this.page.registry,
      redis: parts.redis,
      sessions: async () => [...new Set([defaultSession, ...parts.runs().map(({ session }) => session)])],
      heartbeatTtlMs: parts.config.timing.heartbeatTtlMs,
    });
  }

  /** Creates the counters of a session at 0: Prometheus does not see the first increment of a counter that is new. */
  initialize(session: string): void {
    this.incarnations.inc({ session }, 0);
    for (const reason of Object.keys(exitReasons) as ExitReason[]) this.restarts.inc({ session, reason }, 0);
    for (const why of ['memory', 'age']) this.recycles.inc({ session, why }, 0);
    for (const outcome of ['sent', 'failed', 'unknown']) this.commands.inc({ operation: 'send', outcome }, 0);
  }

  /** Counts the restarts of the HTTP process, in the role `all`. */
  followHttp(http: { readonly restarts: number }): void {
    new Counter({
      name: 'holdline_http_restarts_total',
      help: 'Restarts of the process that serves HTTP.',
      registers: [this.page.registry],
      collect() {
        this.reset();
        this.inc(http.restarts);
      },
    });
  }

  async #refresh(): Promise<void> {
    await Promise.all([this.#refreshDeployment(), this.#refreshBrowsers()]);
  }

  async #refreshBrowsers(): Promise<void> {
    const runs = this.#parts.runs();
    const memories = await Promise.all(
      runs.map(({ browser }) => (browser === null ? null : this.#parts.readMemory(browser.pid))),
    );
    for (const gauge of [this.#browserMemory, this.#browserProcesses, this.#browserAge]) gauge.reset();
    this.#sessions.set(runs.length);
    for (const [i, { session, browser }] of runs.entries()) {
      if (browser !== null) this.#browserAge.set({ session }, browser.ageMs / 1_000);
      const memory = memories[i] ?? null;
      if (memory === null) continue;
      this.#browserMemory.set({ session, kind: 'pss' }, memory.pssBytes);
      this.#browserMemory.set({ session, kind: 'rss' }, memory.rssBytes);
      this.#browserProcesses.set({ session }, memory.processes);
    }
  }
}
