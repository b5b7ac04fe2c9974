import type { MessagePort } from 'node:worker_threads';
import type { OnBound } from '../contract/bounds.js';
import { messageOf } from '../contract/errors.js';
import type { ExitReason, IncarnationExit } from '../contract/exit-reasons.js';
import { mayFollow } from '../contract/states.js';
import type { Account, SessionState, Status } from '../contract/status.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import { atMost, pause, withDeadline } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import type { StoredQr } from '../platform/store/state-store.js';
import { relayChatEvents } from './chat-events.js';
import type { EventRelay } from './event-relay.js';
import { LoginKeeper } from './login-keeper.js';
import { answerCommand } from './operations/answer-command.js';
import { PageCondition } from './page-condition.js';
import type { People } from './people.js';
import { encodeQr, warmUpEncoder } from './qr-image.js';
import { faultOf, QrSeries } from './qr-series.js';
import type { StateWriter } from './state-writer.js';
import { WhatsAppClient } from './whatsapp/client.js';
import * as failures from './whatsapp/exit-classifier.js';
import type { PageReport } from './whatsapp/in-page/linking.js';

interface SessionWorkerOptions {
  readonly data: ThreadData;
  readonly writer: StateWriter;
  readonly relay: EventRelay;
  readonly onBound: OnBound;
  readonly people: People;
  readonly log: Logger;
  readonly webVersionsDir: string;
  readonly say: (message: FromThread) => void;
}

const passkeySentence =
  'WhatsApp asks for a passkey to link this account, and the browser on this server has none';

/** Time in which a page that crashed, or a browser that died, is heard of by another way than the calls it broke. */
const witnessMs = 500;

/** At the end, what a page is given to say whether and how it is linked; one that hangs or is gone says nothing. */
const lastLookMs = 2_000;

/**
 * One incarnation's work: turns what the library emits and what the page says into states. The library's events
 * are hints that can be missing, doubled or late; the page is asked again and again, and decides.
 */
export class SessionWorker {
  readonly #options: SessionWorkerOptions;
  readonly #done = new AbortController();
  readonly #qrs = new QrSeries();
  readonly #page: PageCondition;
  readonly #login: LoginKeeper;
  readonly #startedAt = performance.now();
  #client: WhatsAppClient | null = null;
  #state: SessionState = 'starting';
  #account: Account | null;
  #lastError: string | null;
  #report: PageReport | null = null;
  #stateSince = performance.now();
  #syncedSince: number | null = null;
  #unconnectedSince: number | null = null;

  constructor(options: SessionWorkerOptions) {
    this.#options = options;
    this.#account = options.data.account;
    this.#lastError = options.data.lastError;
    this.#page = new PageCondition(options.log);
    this.#login = new LoginKeeper({
      ...options,
      keepLoginMs: options.data.timing.keepLoginMs,
      readStorage: async () => this.#client?.loginStorage(),
    });
    // While the browser starts.
    if (!options.data.isLinked) void warmUpEncoder();
  }

  receive(message: Exclude<ToThread, { type: 'begin' | 'stop' }>): void {
    switch (message.type) {
      case 'attach':
        return this.#attach(message.browser);
      case 'fence':
        return this.#options.writer.refence(message.fence);
      case 'command':
        return void this.#carryOut(message);
      case 'login-kept':
        return this.#login.kept();
      case 'logout':
        return void this.#logout();
      default:
        message satisfies never;
    }
  }

  /** Whose session it is; null until that is known. */
  get account(): Account | null {
    return this.#account;
  }

  /** The supervisor knows of a fresh login by then, also of one that nobody has noticed yet. */
  async stop(): Promise<void> {
    if (!this.#done.signal.aborted && (await this.#hasLinkedUnnoticed())) {
      void this.#login.tell(null).catch(() => undefined);
    }
    this.#done.abort();
    await this.#login.told;
    await this.#client?.detach().catch(() => undefined);
  }

  /** A line in the log for each request behind it has its id, and nothing of what was asked or answered. */
  async #carryOut(command: Extract<ToThread, { type: 'command' }>): Promise<void> {
    const { people, log, say, onBound } = this.#options;
    const beganAt = performance.now();
    const client = this.#client;
    const parts = client === null ? null : { client, people, page: this.#page.status, onBound };
    const answer = await answerCommand(parts, command);
    const { requestIds, operation } = command;
    const durationMs = Math.round(performance.now() - beganAt);
    const code = answer.type === 'refusal' ? { code: answer.code } : {};
    // Of all that a send asks of the page, this is what the operator wants to know of.
    const level = operation === 'sendTexts' ? 'info' : 'debug';
    for (const requestId of requestIds) {
      log[level]({ requestId, operation, durationMs, ...code }, 'command carried out');
    }
    say(answer);
  }

  #attach(browser: MessagePort): void {
    const { timing, deviceName, webVersion } = this.#options.data;
    const client = new WhatsAppClient({
      browser,
      deviceName,
      webVersion,
      webVersionsDir: this.#options.webVersionsDir,
      loginStorage: this.#options.data.loginStorage,
      authTimeoutMs: Math.min(30_000, timing.startDeadlineMs / 2),
      protocolTimeoutMs: timing.startDeadlineMs * 2,
      callTimeoutMs: timing.pageCheckTimeoutMs,
      pairingCodeMs: timing.pairingCodeMs,
      events: {
        onQr: (text) => void this.#onQr(text),
        onPairing: () => this.#withdrawQr(),
        onReady: (account) => void this.#onReady(account),
        onAuthFailure: (message) =>
          this.#fail({ reason: 'auth_failure', message: `WhatsApp refused the login: ${message}` }),
        onDisconnected: (reason) => this.#fail(failures.exitOfDisconnect(reason)),
        onPageCrashed: () => this.#failWith('page_crashed', 'the page of WhatsApp Web crashed'),
        onExamined: (examination, isSynced) => this.#page.examined(examination, isSynced),
        onChatEvents: (events, dropped) => relayChatEvents(this.#options, events, dropped),
        onWrongVersion: (message) => this.#failWith('web_version_missing', message),
        onHttpError: (status) => this.#fail(failures.exitOfHttpError(status)),
      },
    });
    this.#client = client;
    client.initialize().catch(async (error: unknown) => {
      const report = await client.report().catch(() => null);
      // Whoever saw page or browser go says why.
      if (failures.isInterruption(error)) await pause(witnessMs, this.#done.signal);
      this.#fail(failures.exitOfStart(error, report?.isLoggedOut === true, client.missingScript));
    });
    void this.#watch(client);
  }

  /** Looks at the page again and again: often on the way to `ready`, seldom once there. */
  async #watch(client: WhatsAppClient): Promise<void> {
    const { timing } = this.#options.data;
    while (!this.#done.signal.aborted) {
      await pause(
        this.#state === 'ready' ? timing.pageCheckIntervalMs : timing.watchIntervalMs,
        this.#done.signal,
      );
      try {
        this.#report = await client.report();
        if (this.#report !== null) await this.#follow(client, this.#report);
      } catch (error) {
        this.#onSilence(error);
      }
      this.#checkDeadlines();
    }
  }

  /** Makes up for what the library's events leave out. */
  async #follow(client: WhatsAppClient, report: PageReport): Promise<void> {
    const isConnected = report.socketState === 'CONNECTED';
    this.#unconnectedSince = isConnected ? null : (this.#unconnectedSince ?? performance.now());
    this.#syncedSince = isConnected && report.hasSynced ? (this.#syncedSince ?? performance.now()) : null;

    if (await this.#followPasskey(client, report)) return;
    if (this.#state === 'qr') await this.#followCodes(client, report);
    if (isConnected && this.#isLinking) this.#onLinked();
    // The page connects and syncs anew by itself, or it has loaded anew and the library may have missed that it
    // synced; until then nothing can be sent.
    if (this.#state === 'ready' && !(isConnected && report.hasBegunReadying)) {
      this.#syncedSince = null;
      this.#publish('authenticated', null);
    }
    if (this.#state === 'authenticated' && this.#syncedSince !== null && report.isInjected) {
      await this.#makeUpForReady(client, report, performance.now() - this.#syncedSince);
    }
  }

  /** Codes for as long as nobody scans, and none on show that no phone takes. */
  async #followCodes(client: WhatsAppClient, report: PageReport): Promise<void> {
    const isIdle = report.socketState === 'UNPAIRED_IDLE';
    if (this.#qrs.hasExpired()) this.#publish('qr', null);
    if (isIdle || client.isPairing) this.#withdrawQr();
    // Fresh codes would void the one that somebody is typing.
    if (client.isPairing) return;
    if (client.hasCodeEnded) return client.backToQr();
    if (!isIdle) return;
    this.#qrs.newBatch();
    await client.refreshQr();
  }

  /** While WhatsApp waits for a passkey, nothing of ours disturbs its page. True: it does. */
  async #followPasskey(client: WhatsAppClient, report: PageReport): Promise<boolean> {
    if (report.asksForPasskey && (this.#state === 'starting' || this.#state === 'qr')) {
      this.#qrs.withdraw();
      this.#lastError = passkeySentence;
      this.#publish('passkey_required', null);
    }
    if (this.#state !== 'passkey_required') return false;
    const { passkeyMs } = this.#options.data.timing;
    const isOver = performance.now() - this.#stateSince > passkeyMs;
    if (report.asksForPasskey && !isOver) return true;
    if (!report.socketState?.startsWith('UNPAIRED')) return false;
    this.#qrs.newBatch();
    this.#publish('qr', null);
    await (report.asksForPasskey ? client.backToQr() : client.refreshQr());
    return true;
  }

  /** The page is there, as far as it has said: from then on silence is its own. */
  get #hasLoaded(): boolean {
    return this.#report?.isLoaded === true || this.#page.status !== null;
  }

  get #isLinking(): boolean {
    return this.#state === 'starting' || this.#isUnlinked;
  }

  /** It asks for a login. */
  get #isUnlinked(): boolean {
    return this.#state === 'qr' || this.#state === 'passkey_required';
  }

  /** Whether the page has linked since the last look at it. */
  async #hasLinkedUnnoticed(): Promise<boolean> {
    if (!this.#isUnlinked || this.#client === null) return false;
    const report = await withDeadline(this.#client.report(), lastLookMs, 'the page').catch(() => null);
    return report?.socketState === 'CONNECTED';
  }

  /** The page has synced, and the library said nothing: it missed it, or it failed on the way and lost the error. */
  async #makeUpForReady(client: WhatsAppClient, report: PageReport, syncedMs: number): Promise<void> {
    // The library has said it; `ready` waits for something else.
    if (this.#login.isWaiting) return;
    const { readyGraceMs } = this.#options.data.timing;
    if (!report.hasBegunReadying && syncedMs > readyGraceMs) {
      await client.makeReady().catch((error) => this.#fail(failures.exitOfReadying(error)));
    } else if (report.hasBegunReadying && syncedMs > readyGraceMs * 5) {
      await client.explainUnready().then(
        () => this.#failWith('start_failed', 'WhatsApp Web synced, but did not become ready'),
        (error) => this.#fail(failures.exitOfReadying(error)),
      );
    }
  }

  /** The page did not answer, or had no context to answer from (a navigation). */
  #onSilence(error: unknown): void {
    if ((error as { code?: unknown }).code !== 'deadline') return;
    if (this.#state === 'starting' && !this.#hasLoaded) return;
    this.#failWith('page_hung', `the page of WhatsApp Web stopped answering (${messageOf(error)})`);
  }

  #checkDeadlines(): void {
    const { startDeadlineMs, syncDeadlineMs, reconnectDeadlineMs } = this.#options.data.timing;
    const now = performance.now();
    if (this.#state === 'starting' && now - this.#startedAt > startDeadlineMs) {
      const socketState = this.#report?.socketState ?? null;
      this.#fail(failures.exitOfStartDeadline(startDeadlineMs, this.#hasLoaded, socketState));
    }
    if (this.#state !== 'authenticated') return;
    if (this.#unconnectedSince !== null && now - this.#unconnectedSince > reconnectDeadlineMs) {
      const seconds = reconnectDeadlineMs / 1000;
      this.#failWith('whatsapp_disconnected', `WhatsApp Web stayed without a connection for ${seconds} s`);
    } else if (now - this.#stateSince > syncDeadlineMs) {
      this.#failWith('sync_timed_out', `the account did not sync within ${syncDeadlineMs / 1000} s`);
    }
  }

  async #onQr(text: string): Promise<void> {
    const state = this.#state;
    if (state !== 'starting' && state !== 'qr' && state !== 'authenticated' && state !== 'ready') return;
    // Linked before, the page shows a code only when its login is void or lost; a login by this code would not be saved.
    if (this.#options.data.isLinked || state === 'ready') return this.#fail(failures.loginMissing());
    const fault = this.#client?.isPairing ? 'void' : faultOf(text);
    if (fault !== null) {
      this.#withdrawQr();
      if (fault === 'no-secret') await this.#client?.renewSecret().catch((error) => this.#onSilence(error));
      return;
    }
    const qr = this.#qrs.next(text);
    if (qr === null) return;
    this.#client?.codesCome();
    const image = await encodeQr(text);
    if (this.#qrs.isCurrent(qr) && this.#state !== 'passkey_required') this.#publish('qr', { image, qr });
  }

  #withdrawQr(): void {
    if (this.#qrs.withdraw() && this.#state === 'qr') this.#publish('qr', null);
  }

  #onLinked(): void {
    this.#qrs.withdraw();
    this.#publish('authenticated', null);
    if (!this.#options.data.isLinked) void this.#login.tell(null).catch(() => undefined);
  }

  async #onReady(account: Account): Promise<void> {
    // The library says it again when the page unsets that it has synced, on its way out.
    const report = await this.#client?.report().catch(() => null);
    if (report?.hasSynced !== true) return;
    this.#account = account;
    // First: whatever fails from here on, nobody shall have to scan again.
    if (this.#isLinking) this.#onLinked();
    if (!this.#page.canSend) {
      return this.#fail(failures.incompatible(this.#page.broken ?? 'it was not looked at'));
    }
    if (!this.#options.data.isLinked) await this.#login.keep(account);
    if (this.#state !== 'ready') this.#publish('ready', null);
  }

  async #logout(): Promise<void> {
    const isLinked = !this.#isUnlinked || (await this.#hasLinkedUnnoticed());
    this.#done.abort();
    if (!isLinked) return this.#options.say({ type: 'logged-out', unlinked: false });
    const { logoutDeadlineMs } = this.#options.data.timing;
    const told = this.#client?.logout(logoutDeadlineMs) ?? Promise.reject(new Error('no client'));
    const unlinked = await told.then(
      (isTold) => {
        if (!isTold)
          this.#options.log.warn('WhatsApp did not confirm the logout; the phone may still list this device');
        return isTold;
      },
      (error) => {
        this.#options.log.warn({ err: error }, 'the phone could not be told of the logout');
        return false;
      },
    );
    this.#options.say({ type: 'logged-out', unlinked });
  }

  #publish(state: SessionState, code: { image: StoredQr; qr: NonNullable<Status['qr']> } | null): void {
    if (this.#done.signal.aborted) return;
    if (!mayFollow(this.#state, state)) {
      return this.#options.log.warn({ from: this.#state, to: state }, 'step without meaning ignored');
    }
    if (state !== this.#state) this.#stateSince = performance.now();
    this.#state = state;
    if (state === 'qr') this.#account = null;
    if (state === 'qr' || state === 'authenticated') this.#lastError = null;
    if (state === 'ready') this.#lastError = this.#page.broken;
    const facts = { lastError: this.#lastError, account: this.#account, page: this.#page.status };
    const change = { state, ...facts, qr: code?.qr ?? null };
    this.#options.writer.write(change, code?.image ?? null);
    this.#options.say({ type: 'state', state, account: this.#account });
  }

  #failWith(reason: ExitReason, message: string): void {
    this.#fail({ reason, message });
  }

  /**
   * Ends the incarnation: the supervisor takes it from here, and knows of a fresh login by then. Only the first reason
   * counts.
   */
  #fail(exit: IncarnationExit): void {
    if (this.#done.signal.aborted) return;
    this.#done.abort();
    const failed: FromThread = { type: 'failed', ...this.#page.explain(exit) };
    void atMost(this.#login.told, lastLookMs).then(() => this.#options.say(failed));
  }
}
