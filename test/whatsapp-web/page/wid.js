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
  return id instanceof Wid ? id : new Wid(typeof id === 'string' ? id : id._serialized);
}
