// WhatsApp's ids: `user@server`. The methods are on the prototype, so that a serialized id is plain data.

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

  isRegularUser() {
    return this.isUser();
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

  equals(other) {
    return other instanceof Wid && this._serialized === other._serialized;
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
