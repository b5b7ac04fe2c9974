import type { MessagePort } from 'node:worker_threads';
import type { OnBound } from '../contract/bounds.js';
import { type LogoutResult, logoutResults } from '../contract/intent.js';
import type { PasskeyCredential } from '../contract/passkey.js';
import type { Account } from '../contract/status.js';
import type { FromThread, ThreadData, ToThread } from '../contract/thread-messages.js';
import { pause } from '../platform/deadline.js';
import type { Logger } from '../platform/logger.js';
import { relayChatEvents } from './chat-events.js';
import { DeviceLinking } from './device-linking.js';
import type { EventRelay } from './event-relay.js';
import { IncarnationState } from './incarnation-state.js';
import { LoginKeeper } from './login-keeper.js';
import { answerCommand } from './operations/answer-command.js';
import { sendingStep } from './operations/sends.js';
import { PageHealth } from './page-health.js';
import { PageMonitor } from './page-monitor.js';
import type { PhoneCompleter } from './phone-completer.js';
import { warmUpEncoder } from './qr-image.js';
import type { StateWriter } from './state-writer.js';
import { WhatsAppClient } from './whatsapp/client.js';
import * as exits from './whatsapp/exit-classifier.js';

interface SessionWorkerOptions {
  readonly data: ThreadData;
  readonly writer: StateWriter;
  readonly relay: EventRelay;
  readonly onBound: OnBound;
  readonly phones: PhoneCompleter;
  /** The owner's answer that a command names, once; null: there is none. */
  readonly takePasskeyAnswer: (token: string) => Promise<PasskeyCredential | null>;
  readonly log: Logger;
  readonly webVersionsDir: string;
  /** Sends a message to the supervisor. */
  readonly post: (message: FromThread) => void;
}

/** The page of an incarnation, from the moment that there is a browser. */
interface Attached {
  readonly client: WhatsAppClient;
  readonly linking: DeviceLinking;
}

/** When the page or the browser crashes, calls fail first. The event that names the reason follows within this time. */
const crashEventMs = 500;

/** One incarnation: attaches the client to the browser, turns its events into states, and carries out commands. */
export class SessionWorker {
  readonly #options: SessionWorkerOptions;
  readonly #page: PageHealth;
  readonly #login: LoginKeeper;
  readonly #state: IncarnationState;
  #attached: Attached | null = null;
  #isUndoing = false;

  constructor(options: SessionWorkerOptions) {
    const { data, log } = options;
    this.#options = options;
    this.#page = new PageHealth(log);
    this.#login = new LoginKeeper({
      ...options,
      keepLoginMs: data.timing.keepLoginMs,
      readStorage: async () => this.#attached?.client.loginStorage(),
    });
    this.#state = new IncarnationState({ ...options, page: this.#page, login: this.#login });
    // This runs while the browser starts.
    if (!data.isLinked) void warmUpEncoder();
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
        return this.#login.onKept();
      case 'logout':
        return void this.#logout();
      default:
        message satisfies never;
    }
  }

  /** The account of the session; null until it is known. */
  get account(): Account | null {
    return this.#state.account;
  }

  /** Ends the incarnation. First posts a fresh login, even one that has not been noticed yet. */
  async stop(): Promise<void> {
    const isWanted = !this.#state.ended.aborted && !this.#isUndoing;
    if (isWanted && (await this.#attached?.linking.hasLinkedUnnoticed())) {
      void this.#login.post(null).catch(() => undefined);
    }
    this.#state.end();
    await this.#login.posted;
    await this.#attached?.client.detach().catch(() => undefined);
  }

  /** Logs one line for each HTTP request that caused the command, without its input and output. */
  async #carryOut(command: Extract<ToThread, { type: 'command' }>): Promise<void> {
    const { phones, log, post, onBound, takePasskeyAnswer } = this.#options;
    const beganAt = performance.now();
    const rest = { phones, page: this.#page.status, onBound, takePasskeyAnswer };
    const { client, linking } = this.#attached ?? {};
    const parts = client && linking ? { client, passkey: linking.passkey, ...rest } : null;
    const answer = await answerCommand(parts, command);
    const { requestIds, operation } = command;
    const durationMs = Math.round(performance.now() - beganAt);
    const code = answer.type === 'refusal' ? { code: answer.code } : {};
    const level = operation === sendingStep ? 'info' : 'debug';
    for (const requestId of requestIds) {
      log[level]({ requestId, operation, durationMs, ...code }, 'command carried out');
    }
    post(answer);
  }

  #attach(browser: MessagePort): void {
    const { data, log, post } = this.#options;
    const { timing, deviceName, webVersion, loginStorage, isLinked, relaysPasskey, ignore } = data;
    const state = this.#state;
    const client: WhatsAppClient = new WhatsAppClient({
      browser,
      deviceName,
      webVersion,
      webVersionsDir: this.#options.webVersionsDir,
      loginStorage,
      authTimeoutMs: Math.min(30_000, timing.startDeadlineMs / 2),
      protocolTimeoutMs: timing.startDeadlineMs * 2,
      callTimeoutMs: timing.pageCheckTimeoutMs,
      pairingCodeMs: timing.pairingCodeMs,
      relaysPasskey,
      ignore,
      events: {
        onQr: (text) => void linking.onQr(text),
        onPairingCode: () => linking.onPairingCode(),
        onFreshQrs: () => linking.beginBatch(),
        onReady: (account) => void this.#onReady({ client, linking }, account),
        onAuthFailure: (message) =>
          state.fail({ reason: 'auth_failure', message: `WhatsApp refused the login: ${message}` }),
        onDisconnected: (reason) => {
          if (!this.#isUndoing) state.fail(exits.exitOfDisconnect(reason));
        },
        onPageCrashed: () =>
          state.fail({ reason: 'page_crashed', message: 'the page of WhatsApp Web crashed' }),
        onExamined: (examination, isSynced) => this.#page.update(examination, isSynced),
        onChatEvents: (events, dropped) => relayChatEvents(this.#options, events, dropped),
        onPasskeyAsked: (options, requests) => linking.passkey.onAsked(options, requests),
        onPasskeyAborted: () => linking.passkey.onAborted(),
        onWrongVersion: (message) => state.fail({ reason: 'web_version_missing', message }),
        onHttpError: (status) => state.fail(exits.exitOfHttpError(status)),
      },
    });
    const linking = new DeviceLinking({
      ...{ session: data.run.session, client, state, isLinked, login: this.#login, timing, relaysPasskey },
      onPasskeyOutcome: (outcome, answeredMs) => {
        log.info({ outcome, answeredMs }, 'a request for a passkey ended');
        post({ type: 'passkey', outcome, answeredMs });
      },
      onLinkedAfterCancel: () => void this.#undoLink(),
      onCallFailed: (error) => monitor.onCallFailed(error),
    });
    const monitor = new PageMonitor({ client, state, linking, login: this.#login, page: this.#page, timing });
    this.#attached = { client, linking };
    void this.#initialize(client);
    void monitor.run();
  }

  /** Sets up the page. Ends the incarnation if that fails. */
  async #initialize(client: WhatsAppClient): Promise<void> {
    try {
      await client.initialize();
    } catch (error) {
      const report = await client.report().catch(() => null);
      if (exits.isInterruption(error)) await pause(crashEventMs, this.#state.ended);
      this.#state.fail(exits.exitOfStart(error, report?.isLoggedOut === true, client.missingScript));
    }
  }

  async #onReady({ client, linking }: Attached, account: Account): Promise<void> {
    const state = this.#state;
    // The library also emits `ready` when the page navigates away and resets its sync.
    const report = await client.report().catch(() => null);
    if (report?.hasSynced !== true) return;
    state.setAccount(account);
    // Posts the login first, so that a failure of the next steps does not lose it.
    if (state.isBeforeLink && !linking.onLinked()) return;
    if (!this.#page.canSend) {
      return state.fail(exits.exitOfIncompatiblePage(this.#page.broken ?? 'the self-test did not run'));
    }
    if (!this.#options.data.isLinked) await this.#login.keep(account);
    // A page that reloads within moments was `ready` all the time, and may have another version now.
    if (state.current !== 'ready' || !state.isPagePublished) state.publish('ready');
  }

  /** Unlinks the device, and ends the incarnation. */
  async #logout(): Promise<void> {
    const state = this.#state;
    const isLinked = !state.isUnlinked || (await this.#attached?.linking.hasLinkedUnnoticed()) === true;
    state.end();
    const result = isLinked ? await this.#unlink() : logoutResults.nothingLinked;
    this.#options.post({ type: 'logged-out', result });
  }

  /** Unlinks what a person did not want to link, and ends the incarnation. */
  async #undoLink(): Promise<void> {
    if (this.#isUndoing) return;
    this.#isUndoing = true;
    this.#options.log.warn('the page linked after a person had cancelled; logging out');
    this.#state.fail(exits.exitOfCancelledLink(await this.#unlink()));
  }

  /** Logs out on WhatsApp's server. */
  async #unlink(): Promise<LogoutResult> {
    const { data, log } = this.#options;
    try {
      if (this.#attached === null) throw new Error('there is no page yet');
      const isConfirmed = await this.#attached.client.logout(data.timing.logoutDeadlineMs);
      if (!isConfirmed) log.warn('WhatsApp did not confirm the logout; the phone may still list this device');
      return isConfirmed ? logoutResults.unlinked : logoutResults.notTold;
    } catch (error) {
      log.warn({ err: error }, 'the logout could not be sent to WhatsApp');
      return logoutResults.notTold;
    }
  }
}
