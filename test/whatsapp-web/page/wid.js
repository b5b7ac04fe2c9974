// WhatsApp's ids: `user@server`. The questions are on the prototype, so that a serialized id is plain data.

export class Wid {
  constructor(text) {
    const [user, server] = text.split('@');
    this.server = server;
    this.user = user;
    this._serialized = text;
  }

  isLid() {
    return this.server === 'lid';
  }

  isGroup() {
    return this.server === 'g.us';
  }

  isUser() {
    return this.server === 'c.us' || this.isLid();
  }

  isStatus() {
    return this._serialized === 'status@broadcast';
  }

  isBroadcast() {
    return this.server === 'broadcast';
  }

  isNewsletter() {
    return this.server === 'newsletter';
  }

  toString() {
    return this._serialized;
  }

  toJid() {
    return this._serialized;
  }
}

export function createWid(id) {
  if (id instanceof Wid) return id;
  const text = String(typeof id === 'string' ? id : id?._serialized).replace('@s.whatsapp.net', '@c.us');
  if (!/^[^@\s]+@[a-z.]+$/.test(text)) throw new Error(`wid error: invalid wid: ${text}`);
  return new Wid(text);
}

/** A message's id: who it is from or to, its random part, and in a group who wrote it. */
export class MessageKey {
  constructor({ to, id, participant, selfDir }) {
    this.fromMe = selfDir === 'out';
    this.remote = to;
    this.id = id;
    if (participant) this.participant = participant;
    this._serialized = [this.fromMe, to, id, ...(participant ? [participant] : [])].join('_');
  }

  static newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(9));
    return `3EB0${[...bytes].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('')}`;
  }

  toString() {
    return this._serialized;
  }
}
