// The page's side of the websocket: introduces the page, and changes the models by the server's messages. The server's side
// is page-connection.ts; protocol.ts lists the messages.

import { saveCredentials, toBase64 } from './credentials.js';
import { createWid } from './wid.js';

const RECONNECT_DELAY_MS = 500;

export class Stream {
  #models;
  #keys;
  #credentials;
  #usesLids;
  #linking;
  #pageId = crypto.randomUUID();
  #websocket;
  #asked = new Map();
  #questions = 0;
  #unknownModules = new Set();
  /** Called with chats, messages and acks. */
  onMail = () => {};
  /** Called with what concerns the passkey, and when the page is paired. */
  onPasskey = () => {};
  /** Called after a logout that this page did not request. */
  onLoggedOut = () => {};
  /** Returns the current device name. */
  deviceName = () => '';
  /** How long an awaited logout waits before it leaves. */
  navigationMs = 0;

  constructor({ settings, models, keys, credentials, linking }) {
    this.#usesLids = settings.lidChats;
    this.#linking = linking;
    this.#models = models;
    this.#keys = keys;
    this.#credentials = credentials;
    models.Socket.takeover = () => this.send({ type: 'takeover' });
    models.Socket.reconnect = () => this.#websocket.close();
  }

  open() {
    const websocket = new WebSocket(`wss://${location.host}/ws/chat`);
    this.#websocket = websocket;
    websocket.onopen = () => this.#introduce();
    websocket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    websocket.onclose = () => {
      if (websocket === this.#websocket) this.#giveUpAsking();
      // A lost network changes no attribute, as on the real page. A page that lost a conflict does not reconnect.
      if (websocket !== this.#websocket || this.#models.Socket.state === 'CONFLICT') return;
      setTimeout(() => this.open(), RECONNECT_DELAY_MS);
    };
  }

  refreshQr() {
    this.send({ type: 'refresh-qr', deviceName: this.deviceName() });
  }

  /** Reports a missing module. The server learns of it at the latest when the page connects. */
  lacksModule(name) {
    this.#unknownModules.add(name);
    this.send({ type: 'unknown-module', name });
  }

  send(message) {
    if (this.isOpen) this.#websocket.send(JSON.stringify(message));
  }

  get isOpen() {
    return this.#websocket?.readyState === WebSocket.OPEN;
  }

  /**
   * Asks the server; a refusal is thrown. Without a connection it resolves to `offline`; if that is undefined, the question
   * waits for the next connection.
   */
  ask(ask, offline) {
    if (!this.isOpen && offline !== undefined) return Promise.resolve(offline);
    const { promise, resolve, reject } = Promise.withResolvers();
    const nth = ++this.#questions;
    this.#asked.set(nth, { ask, offline, resolve, reject });
    this.send({ type: 'ask', nth, ask });
    return promise;
  }

  #answered({ nth, answer, error }) {
    const { resolve, reject } = this.#asked.get(nth) ?? {};
    this.#asked.delete(nth);
    if (answer?.navigationMs !== undefined) this.navigationMs = answer.navigationMs;
    if (error === undefined) resolve?.(answer);
    else reject?.(new Error(error));
  }

  #giveUpAsking() {
    for (const [nth, { offline, resolve }] of this.#asked) {
      if (offline === undefined) continue;
      this.#asked.delete(nth);
      resolve(offline);
    }
  }

  #introduce() {
    const { noise, identity, adv } = this.#keys;
    const keys = {
      noise: toBase64(noise),
      identity: toBase64(identity),
      adv,
      platform: this.#models.platform,
    };
    this.send({
      type: 'hello',
      pageId: this.#pageId,
      keys,
      credentials: this.#credentials,
      usesLids: this.#usesLids,
      deviceName: this.deviceName(),
    });
    for (const name of this.#unknownModules) this.send({ type: 'unknown-module', name });
    for (const [nth, { ask }] of this.#asked) this.send({ type: 'ask', nth, ask });
  }

  #receive(message) {
    const { Socket, Conn, Cmd, Offline } = this.#models;
    switch (message.type) {
      case 'ref':
        Conn.ref = message.ref;
        break;
      case 'state':
        if (message.account) this.#learnAccount(message.account);
        if (message.alreadySynced) Socket.setSilently({ hasSynced: true });
        Socket.state = message.state;
        break;
      case 'paired':
        void this.#restart(message);
        break;
      case 'offline-progress':
        Offline.percent = message.percent;
        Cmd.trigger('offline_progress_update_from_bridge');
        break;
      case 'synced':
        Socket.hasSynced = true;
        break;
      case 'logged-out':
        this.onLoggedOut();
        break;
      case 'passkey-asked':
      case 'passkey-continues':
      case 'passkey-cancelled':
        this.onPasskey(message);
        break;
      case 'answer':
        this.#answered(message);
        break;
      case 'do':
        // Without a delay it acts at once, before any later message of the server.
        if (message.delayMs > 0) setTimeout(() => perform(message.action), message.delayMs);
        else perform(message.action);
        break;
      default:
        this.onMail(message);
    }
  }

  #learnAccount({ wid, lid, pushname, platform, conn }) {
    const [pn, ownLid] = [createWid(wid), createWid(lid)];
    this.#models.me = { pn, lid: ownLid, self: this.#usesLids ? ownLid : pn };
    this.#models.Conn.set({ pushname, platform, ...conn });
  }

  /** Linked: clears the ref, saves the login, and restarts the stream as that device. */
  async #restart({ credentials, restartMs }) {
    this.#models.Conn.ref = undefined;
    this.#linking.linked();
    this.onPasskey({ type: 'paired' });
    this.#credentials = credentials;
    await saveCredentials(credentials);
    setTimeout(() => {
      this.#models.Socket.state = 'OPENING';
      const unpaired = this.#websocket;
      this.open();
      unpaired.close();
    }, restartMs);
  }
}

function perform(action) {
  switch (action) {
    case 'hang':
      for (;;);
    case 'reload':
      location.reload();
      break;
    case 'push-state':
      history.pushState({}, '', '/?pushed=1');
      break;
    case 'append-iframe': {
      const iframe = document.createElement('iframe');
      iframe.src = '/frame';
      document.body.append(iframe);
      break;
    }
    case 'grow':
      window.kept = Array.from({ length: 4 }, () => new Uint8Array(100_000_000).fill(1));
      break;
  }
}
