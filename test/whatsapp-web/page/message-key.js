// A message's id: the chat, a random part, and in a group the author. An own field holds all of it as a string. WhatsApp
// changes the name of that field.

import { createWid, Wid } from './wid.js';

/** `me` returns the account's ids: `{ pn, lid }`. */
export function createMessageKey(keyField, me) {
  if (!/^[\w$]+$/.test(keyField)) throw new Error(`"${keyField}" is not a valid field name`);
  const isMe = (wid) => wid.equals(me()?.pn) || wid.equals(me()?.lid);

  class MsgKey {
    constructor({ from, to, fromMe, remote, id, participant, selfDir } = {}) {
      if (!id) throw new Error('MsgKey error: there is no id');
      const isOneWay = from !== undefined && to !== undefined;
      const wids = isOneWay ? [from, to] : [remote];
      if (![...wids, ...(participant ? [participant] : [])].every((wid) => wid instanceof Wid)) {
        throw new Error('MsgKey error: from, to, remote and participant have to be wids');
      }
      const isToSelf = isOneWay ? from.equals(to) : isMe(remote);
      this.fromMe = isOneWay ? isFromMe(from, to, selfDir) : fromMe;
      this.remote = isOneWay && !this.fromMe ? from : (remote ?? to);
      this.id = id;
      if (isToSelf && !this.remote.isGroup()) this.self = this.fromMe ? 'out' : 'in';
      if (participant) this.participant = participant;
      const parts = [this.fromMe, this.remote, this.id, this.self, this.participant];
      this[keyField] = parts.filter((part) => part !== undefined).join('_');
    }

    static fromString(text) {
      if (text === undefined || text === null) throw new Error('MsgKey error: there is no string');
      return MsgKey.from(text);
    }

    static from(key) {
      if (key instanceof MsgKey) return key;
      const { fromMe, remote, id, participant } = typeof key === 'string' ? parsed(key) : key;
      return new MsgKey({
        fromMe,
        remote: createWid(remote),
        id,
        participant: participant ? createWid(participant) : undefined,
      });
    }

    static async newId() {
      return `3EB0${hex(9)}`;
    }

    static newId_DEPRECATED() {
      return `3EB0${hex(8)}`;
    }

    clone() {
      return MsgKey.from({ ...this });
    }

    equals(other) {
      return other instanceof MsgKey && this.toString() === other.toString();
    }
  }

  const isFromMe = (from, to, selfDir) =>
    from.equals(to) && isMe(from) ? selfDir === 'out' : isMe(from) || !isMe(to);

  // Its source text names the field, as in the real page.
  MsgKey.prototype.toString = new Function(`return this.${keyField}`);
  return MsgKey;
}

function parsed(text) {
  const [fromMe, remote, id, ...rest] = text.split('_');
  return { fromMe: fromMe === 'true', remote, id, participant: rest.find((part) => part.includes('@')) };
}

function hex(length) {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join('');
}
