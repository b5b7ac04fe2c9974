import type { WebSocket } from 'ws';
import { markSeen, sendHistory, takeMessage } from './deliveries.js';
import { injectAtStep } from './fault-steps.js';
import type { Credentials, Device, PageKeys } from './linking.js';
import { answerPage } from './page-asks.js';
import { forgetPasskey, notePasskeyStage } from './passkey.js';
import { type View, viewOf } from './people.js';
import type { FromPage, PageAction, ToPage } from './protocol.js';
import { RefSeries } from './ref-series.js';
import type { Step } from './settings.js';
import { Timers } from './timers.js';
import { actingAs, note, type World } from './world.js';

/**
 * One websocket of one page. It takes the page through its states: OPENING; then either UNPAIRED, with refs that rotate until
 * UNPAIRED_IDLE, or CONNECTED, offline messages and hasSynced. After a scan the page reconnects with its new credentials.
 */
export class PageConnection {
  readonly openedAt = Date.now();
  pageId = '';
  /** The device name that the page reports. */
  deviceName = '';
  /** Converts records to the ids that this page uses. */
  view: View;
  state = 'OPENING';
  device: Device | null = null;
  isSynced = false;
  /** The account's chats were sent to the page. */
  hasHistory = false;
  readonly #world: World;
  readonly #socket: WebSocket;
  readonly #timers = new Timers();
  readonly #refs: RefSeries;
  #keys: PageKeys | undefined;
  /** Continues the step that a fault holds back. */
  #held: (() => void) | null = null;

  constructor(world: World, socket: WebSocket) {
    this.#world = world;
    this.#socket = socket;
    this.view = viewOf(world.people, world.page.lidChats);
    this.#refs = new RefSeries(world, this);
    socket.on('message', (data) => this.#receive(JSON.parse(String(data)) as FromPage));
    socket.on('error', () => socket.terminate());
    socket.on('close', () => this.#closed());
  }

  /** Makes the page reload, hang or navigate, as real pages do at bad moments. */
  perform(action: PageAction, delayMs = 0): void {
    this.send({ type: 'do', action, delayMs });
  }

  /** Injects the fault that is set for this step. Returns whether there was one. */
  reached(step: Step): boolean {
    return injectAtStep(this.#world, this, step);
  }

  /** The faults have changed: continues a step that was held back. If the fault is still set, it is held again. */
  resume(): void {
    const held = this.#held;
    this.#held = null;
    held?.();
  }

  cut(): void {
    this.#socket.terminate();
  }

  send(message: ToPage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  enter(state: string, details: { account?: Record<string, unknown>; alreadySynced?: boolean } = {}): void {
    this.state = state;
    this.send({ type: 'state', state, ...details });
  }

  /** Enters this state and cancels all planned steps. */
  showState(state: string): void {
    this.#stopSteps();
    this.enter(state);
  }

  /** The phone has accepted this page's ref or code: sends the page its credentials. */
  pair(device: Device): void {
    this.#stopSteps();
    this.#timers.later(this.#world.timing.pairingMs, () => {
      const credentials = { id: device.id, secret: device.secret };
      this.send({ type: 'paired', credentials, restartMs: this.#world.timing.restartMs });
      this.reached('paired');
    });
  }

  /** The device is not linked: tells the page, which deletes its login and starts again. */
  logOut(): void {
    this.forgetDevice();
    this.state = 'UNPAIRED';
    this.send({ type: 'logged-out' });
  }

  /** The server has unlinked the device at the page's own request. */
  forgetDevice(): void {
    this.#stopSteps();
    this.device = null;
  }

  get isAskedForPasskey(): boolean {
    return this.#world.passkey.waiting.has(this.pageId);
  }

  offerRefs(): void {
    this.#stopSteps();
    if (this.#keys) this.#refs.start(this.#keys);
  }

  #receive(message: FromPage): void {
    switch (message.type) {
      case 'hello':
        this.#hello(message);
        break;
      case 'refresh-qr':
        if (this.isAskedForPasskey) this.#world.disturbances.refreshes += 1;
        this.deviceName = message.deviceName;
        if (this.state.startsWith('UNPAIRED')) this.offerRefs();
        break;
      case 'secret':
        this.#changeSecret(message.adv);
        break;
      case 'takeover':
        if (this.device) this.#reopen(this.device);
        break;
      case 'unknown-module':
        this.#world.unknownModules.add(message.name);
        break;
      case 'ask':
        this.#answer(message);
        break;
      case 'passkey-stage':
        notePasskeyStage(this.#world, this.pageId, message);
        break;
      case 'message':
        if (this.#isActing) takeMessage(this.#world, this, message.message);
        break;
      case 'seen':
        if (this.#isActing) markSeen(this.#world, message.chatId);
        break;
      default:
        message satisfies never;
    }
  }

  #changeSecret(adv: string | null): void {
    if (!this.#keys) return;
    this.#keys = { ...this.#keys, adv };
    this.#refs.changeKeys(this.#keys);
    this.#world.linking.changeKeys(this.pageId, this.#keys);
  }

  get #isActing(): boolean {
    return this.device !== null && this.state === 'CONNECTED';
  }

  #answer({ nth, ask }: FromPage & { type: 'ask' }): void {
    answerPage(this.#world, this, ask).then(
      (answer) => this.send({ type: 'answer', nth, answer }),
      (error: Error) => this.send({ type: 'answer', nth, error: error.message }),
    );
  }

  #hello({ pageId, keys, credentials, usesLids, deviceName }: FromPage & { type: 'hello' }): void {
    const { connections, pagesEver, people } = this.#world;
    this.pageId = pageId;
    this.deviceName = deviceName;
    this.view = viewOf(people, usesLids);
    this.#keys = keys;
    connections.add(this);
    if (!pagesEver.has(pageId)) note(this.#world, 'A page was opened.');
    pagesEver.add(pageId);
    this.#leaveOpening(credentials);
  }

  #leaveOpening(credentials: Credentials | null): void {
    const { faults, timing } = this.#world;
    if (faults.stayOpening) {
      this.#held = () => this.#leaveOpening(credentials);
      return;
    }
    this.#timers.later(timing.openingMs, () => (credentials ? this.#logIn(credentials) : this.offerRefs()));
  }

  #logIn(credentials: Credentials): void {
    const device = this.#world.linking.authenticate(credentials);
    if (!device) {
      note(this.#world, `A page came back as ${credentials.id}, which is not linked, and was refused.`);
      this.logOut();
      return;
    }
    this.device = device;
    this.#connect(device);
  }

  #reopen(device: Device): void {
    this.#stopSteps();
    this.enter('OPENING');
    this.#timers.later(this.#world.timing.openingMs, () => this.#connect(device));
  }

  /** The newest connection of a device replaces earlier ones, as on the real server. */
  #connect(device: Device): void {
    const { account, faults, timing } = this.#world;
    const replaced = actingAs(this.#world, device.id);
    this.#world.mostActingAtOnce = Math.max(this.#world.mostActingAtOnce, replaced.length + 1);
    for (const other of replaced) other.showState('CONFLICT');
    note(this.#world, `${device.id} is connected.`);
    const shownAccount = { ...account, conn: faults.unusualConn };
    this.enter('CONNECTED', { account: shownAccount, alreadySynced: faults.alreadySynced });
    this.reached('connected');
    if (faults.alreadySynced) this.isSynced = true;
    this.#timers.later(timing.offlineMs, () => {
      this.send({ type: 'offline-progress', percent: 50 });
      sendHistory(this.#world, this);
      this.hasHistory = true;
    });
    this.#timers.later(timing.offlineMs + timing.syncMs, () => this.#sync());
  }

  #sync(): void {
    this.send({ type: 'offline-progress', percent: 100 });
    if (this.#world.faults.neverSynced) {
      this.#held = () => this.#sync();
      return;
    }
    this.isSynced = true;
    this.send({ type: 'synced' });
    this.reached('synced');
  }

  #closed(): void {
    this.#stopSteps();
    this.#world.connections.delete(this);
    this.#world.linking.retirePage(this.pageId);
    this.#world.codes.retire(this.pageId, 'code-page-gone');
    forgetPasskey(this.#world, this.pageId);
    if (this.device) note(this.#world, `${this.device.id} went away.`);
  }

  /** Cancels all planned steps. */
  #stopSteps(): void {
    this.#held = null;
    this.#timers.cancel();
    this.#refs.stop();
  }
}
