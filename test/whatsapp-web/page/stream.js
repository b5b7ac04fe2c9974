// The page's side of the websocket: introduces the page and turns what the server says into changes of the
// models. The server's side, with the list of messages, is page-connection.ts.

import { saveCredentials, toBase64 } from './credentials.js';
import { clearStorage } from './storage.js';
import { createWid } from './wid.js';

const RECONNECT_DELAY_MS = 500;

export class Stream {
  #models;
  #keys;
  #credentials;
  #pageId = crypto.randomUUID();
  #websocket;
  #logoutDone = Promise.withResolvers();
  #asked = new Map();
  #asks = 0;
  /** Hears of chats, messages and acks. */
  onMail = () => {};

  constructor(models, keys, credentials) {
    this.#models = models;
    this.#keys = keys;
    this.#credentials = credentials;
    models.Socket.logout = () => this.#logOutFromHere();
    models.Socket.takeover = () => this.send({ type: 'takeover' });
    models.Socket.reconnect = () => this.#websocket.close();
    models.Cmd.refreshQR = () => this.send({ type: 'refresh-qr' });
  }

  open() {
    const websocket = new WebSocket(`wss://${location.host}/ws/chat`);
    this.#websocket = websocket;
    websocket.onopen = () => this.#introduce();
    websocket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    websocket.onclose = () => {
      if (websocket === this.#websocket) this.#giveUpAsking();
      // As on the real page a lost network changes nothing that others see; and who lost a conflict stays out.
      if (websocket !== this.#websocket || this.#models.Socket.state === 'CONFLICT') return;
      setTimeout(() => this.open(), RECONNECT_DELAY_MS);
    };
  }

  send(message) {
    if (this.isOpen) this.#websocket.send(JSON.stringify(message));
  }

  get isOpen() {
    return this.#websocket?.readyState === WebSocket.OPEN;
  }

  /**
   * Asks the server; what it refuses is thrown. Without a connection the answer is `offline`; without that too the
   * question waits for the next connection.
   */
  ask(ask, offline) {
    if (!this.isOpen && offline !== undefined) return Promise.resolve(offline);
    const { promise, resolve, reject } = Promise.withResolvers();
    const nth = ++this.#asks;
    this.#asked.set(nth, { ask, offline, resolve, reject });
    this.send({ type: 'ask', nth, ask });
    return promise;
  }

  #answered({ nth, answer, error }) {
    const { resolve, reject } = this.#asked.get(nth) ?? {};
    this.#asked.delete(nth);
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
    this.send({ type: 'hello', pageId: this.#pageId, keys, credentials: this.#credentials });
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
        void this.#leave();
        break;
      case 'logout-done':
        this.#logoutDone.resolve(message.navigationMs);
        break;
      case 'answer':
        this.#answered(message);
        break;
      case 'history':
      case 'message':
      case 'chat':
      case 'ack':
        this.onMail(message);
        break;
      case 'do':
        // Without a delay at once: nothing that the server said later comes before it.
        if (message.delayMs > 0) setTimeout(() => perform(message.action), message.delayMs);
        else perform(message.action);
        break;
    }
  }

  #learnAccount({ wid, lid, pushname, platform }) {
    this.#models.me = { pn: createWid(wid), lid: createWid(lid) };
    this.#models.Conn.set({ pushname, platform });
  }

  /** Linked: the ref goes, the login is kept, and the stream starts again as that device. */
  async #restart({ credentials, restartMs }) {
    this.#models.Conn.ref = undefined;
    this.#credentials = credentials;
    await saveCredentials(credentials);
    setTimeout(() => {
      this.#models.Socket.state = 'OPENING';
      const unpaired = this.#websocket;
      this.open();
      unpaired.close();
    }, restartMs);
  }

  /** Resolves when the server has forgotten the device; the page goes away a moment later. */
  async #logOutFromHere() {
    if (!this.isOpen) throw new Error('not connected');
    this.send({ type: 'logout' });
    const navigationMs = await this.#logoutDone.promise;
    await clearStorage();
    setTimeout(() => void this.#leave(), navigationMs);
  }

  async #leave() {
    this.#models.Cmd.trigger('logout');
    await clearStorage();
    location.assign('/?post_logout=1&logout_reason=0');
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
  }
}
