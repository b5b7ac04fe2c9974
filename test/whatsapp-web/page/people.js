// Hidden ids, numbers and names of people, as far as the page knows them.

import { Collection, Model } from './models.js';
import { createWid } from './wid.js';

export class People {
  Contact;
  #me;
  #usesLids;
  #numbers = new Map();
  #lids = new Map();

  constructor(me, usesLids) {
    this.#me = me;
    this.#usesLids = usesLids;
    this.Contact = new Contacts(this);
  }

  learn(contacts = []) {
    for (const contact of contacts) this.#learn(contact);
  }

  /** The number of a hidden id; null: it is not known. */
  getPhoneNumber(wid) {
    const { pn, lid } = this.#me() ?? {};
    if (pn && wid.equals(lid)) return pn;
    return this.#numbers.get(String(wid)) ?? null;
  }

  getCurrentLid(wid) {
    const { pn, lid } = this.#me() ?? {};
    if (lid && wid.equals(pn)) return lid;
    return this.#lids.get(String(wid)) ?? null;
  }

  getAlternate(wid) {
    return wid.isLid() ? this.getPhoneNumber(wid) : this.getCurrentLid(wid);
  }

  toPn(wid) {
    return wid.isLid() ? this.getPhoneNumber(wid) : wid;
  }

  toLid(wid) {
    return wid.isLid() || !wid.isUser() ? wid : this.getCurrentLid(wid);
  }

  /** The id that this page uses for the person; the given one if the page does not know the other. */
  shown(wid) {
    if (!wid.isUser()) return wid;
    return (this.#usesLids ? this.toLid(wid) : this.toPn(wid)) ?? wid;
  }

  nameOf(wid) {
    const { name, pushname } = this.Contact.get(wid) ?? {};
    const number = this.toPn(wid);
    return name ?? (number ? `+${number.user}` : (pushname ?? String(wid)));
  }

  #learn({ lid: lidText, number: numberText, name, pushname }) {
    const lid = createWid(lidText);
    const number = numberText ? createWid(numberText) : undefined;
    if (number?.isUser() && !number.equals(lid)) {
      this.#numbers.set(String(lid), number);
      this.#lids.set(String(number), lid);
    }
    const id = this.#usesLids ? lid : (number ?? lid);
    const attributes = { name: name ?? undefined, pushname: pushname ?? undefined, phoneNumber: number };
    const known = this.Contact.get(id);
    if (known) known.set(attributes);
    else this.Contact.add(new Model({ id, ...attributes }));
  }
}

/** Finds people by either of their ids. */
class Contacts extends Collection {
  #people;

  constructor(people) {
    super();
    this.#people = people;
  }

  get(id) {
    const wid = asWid(id);
    return wid && (super.get(wid) ?? super.get(this.#people.getAlternate(wid)));
  }

  /** An unknown person is a contact without attributes. */
  async find(id) {
    const wid = createWid(id);
    return (
      this.get(wid) ?? new Model({ id: wid, name: undefined, pushname: undefined, phoneNumber: undefined })
    );
  }
}

function asWid(id) {
  try {
    return createWid(id);
  } catch {
    return undefined;
  }
}
