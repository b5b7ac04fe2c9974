import { DeadlineError, messageOf } from '../contract/errors.js';
import type { SessionWorkerTiming } from '../contract/thread-messages.js';
import { pause } from '../platform/deadline.js';
import type { DeviceLinking } from './device-linking.js';
import type { IncarnationState } from './incarnation-state.js';
import type { LoginKeeper } from './login-keeper.js';
import type { PageHealth } from './page-health.js';
import type { WhatsAppClient } from './whatsapp/client.js';
import * as exits from './whatsapp/exit-classifier.js';
import type { PageReport } from './whatsapp/in-page/linking.js';

/** Steps to `ready` that have begun and not finished count as failed after this many times `readyGraceMs`. */
const unfinishedGraceFactor = 5;

interface PageMonitorOptions {
  readonly client: WhatsAppClient;
  readonly state: IncarnationState;
  readonly linking: DeviceLinking;
  readonly login: LoginKeeper;
  readonly page: PageHealth;
  readonly timing: SessionWorkerTiming;
}

/**
 * Polls the page and updates the state. The library's events are only hints: they can be missing, doubled or late. The page's
 * reports decide.
 */
export class PageMonitor {
  readonly #options: PageMonitorOptions;
  #report: PageReport | null = null;
  #syncedSince: number | null = null;
  #unconnectedSince: number | null = null;

  constructor(options: PageMonitorOptions) {
    this.#options = options;
  }

  /** Polls until the incarnation ends: often on the way to `ready`, rarely once it is `ready`. */
  async run(): Promise<void> {
    const { client, state, timing } = this.#options;
    while (!state.ended.aborted) {
      await pause(
        state.current === 'ready' ? timing.pageCheckIntervalMs : timing.watchIntervalMs,
        state.ended,
      );
      try {
        this.#report = await client.report();
        if (this.#report !== null) await this.#onReport(this.#report);
      } catch (error) {
        this.onCallFailed(error);
      }
      this.#checkDeadlines();
    }
  }

  /** Ends the incarnation if the page did not answer in time. Ignores any other error: it comes from a navigation. */
  onCallFailed(error: unknown): void {
    const { state } = this.#options;
    if (!(error instanceof DeadlineError)) return;
    if (state.current === 'starting' && !this.#hasLoaded) return;
    const message = `the page of WhatsApp Web stopped answering (${messageOf(error)})`;
    state.fail({ reason: 'page_hung', message });
  }

  async #onReport(report: PageReport): Promise<void> {
    const { state, linking } = this.#options;
    const isConnected = report.socketState === 'CONNECTED';
    this.#unconnectedSince = isConnected ? null : (this.#unconnectedSince ?? performance.now());
    this.#syncedSince = isConnected && report.hasSynced ? (this.#syncedSince ?? performance.now()) : null;

    if (await linking.passkey.update(report)) return;
    if (state.current === 'qr') await linking.updateCodes(report);
    if (isConnected && state.isBeforeLink) linking.onLinked();
    // The page is reconnecting, or it has reloaded and the library may have missed its sync. Nothing can be sent until then.
    if (state.current === 'ready' && !(isConnected && report.hasBegunReadySteps)) {
      this.#syncedSince = null;
      state.publish('authenticated');
    }
    if (state.current === 'authenticated' && this.#syncedSince !== null && report.isInjected) {
      await this.#checkReadySteps(report, performance.now() - this.#syncedSince);
    }
  }

  /** For a page that has synced without a `ready` from the library: it missed the sync, or lost an error in its steps. */
  async #checkReadySteps(report: PageReport, syncedMs: number): Promise<void> {
    const { client, state, login, timing } = this.#options;
    // The library has emitted `ready`; the login is being saved.
    if (login.isKeeping) return;
    const { readyGraceMs } = timing;
    const onError = (error: unknown) => state.fail(exits.exitOfReadySteps(error));
    if (!report.hasBegunReadySteps && syncedMs > readyGraceMs) {
      await client.makeReady().catch(onError);
    } else if (report.hasBegunReadySteps && syncedMs > readyGraceMs * unfinishedGraceFactor) {
      const message = 'WhatsApp Web synced, but did not become ready';
      await client.repeatReadySteps().then(() => state.fail({ reason: 'start_failed', message }), onError);
    }
  }

  #checkDeadlines(): void {
    const { state, timing } = this.#options;
    const { startDeadlineMs, syncDeadlineMs, reconnectDeadlineMs } = timing;
    if (state.current === 'starting' && state.ageMs > startDeadlineMs) {
      const socketState = this.#report?.socketState ?? null;
      state.fail(exits.exitOfStartDeadline(startDeadlineMs, this.#hasLoaded, socketState));
    }
    if (state.current !== 'authenticated') return;
    const unconnectedMs = this.#unconnectedSince === null ? 0 : performance.now() - this.#unconnectedSince;
    if (unconnectedMs > reconnectDeadlineMs) {
      const message = `WhatsApp Web stayed without a connection for ${reconnectDeadlineMs / 1000} s`;
      state.fail({ reason: 'whatsapp_disconnected', message });
    } else if (state.ageMs > syncDeadlineMs) {
      const message = `the account did not sync within ${syncDeadlineMs / 1000} s`;
      state.fail({ reason: 'sync_timed_out', message });
    }
  }

  /** The page has reported that it loaded. From then on a page that does not answer has hung. */
  get #hasLoaded(): boolean {
    return this.#report?.isLoaded === true || this.#options.page.status !== null;
  }
}
