import type { Foreign, PageAccess } from './page-access.js';

export interface Ids {
  /** The text of a message's key, from any field in which the page keeps it. null: it has none. */
  keyText(key: Foreign): string | null;
  /** The text of the id of a chat or a person. null: it has none. */
  widText(wid: Foreign): string | null;
  /** WhatsApp's object for the text of an id. Throws if the page refuses it. */
  widOf(text: string): Foreign;
  isPersonId(text: string | null): boolean;
  isGroupId(text: string | null): boolean;
  /** Stories, channels and broadcast lists. */
  isBroadcastId(text: string | null): boolean;
}

export function ids(page: PageAccess): Ids {
  const maxLength = 256;

  function text(value: Foreign): string | null {
    return typeof value === 'string' && value !== '' && value.length <= maxLength ? value : null;
  }

  /** The result of a `toString` that the page defines; null for that of Object. */
  function ownString(value: Foreign): string | null {
    const string = text(page.attempt(() => value.toString()));
    return string === null || string.startsWith('[object') ? null : string;
  }

  function widText(wid: Foreign): string | null {
    if (wid === null || typeof wid !== 'object') return text(wid);
    const serialized = text(page.attempt(() => wid._serialized)) ?? ownString(wid);
    if (serialized?.includes('@')) return serialized;
    const [user, server] = [text(page.attempt(() => wid.user)), text(page.attempt(() => wid.server))];
    return user !== null && server !== null ? `${user}@${server}` : null;
  }

  function isKeyText(value: Foreign): boolean {
    return text(value) !== null && /^(true|false)_.*@.*_/.test(value);
  }

  function keyText(key: Foreign): string | null {
    if (key === null || typeof key !== 'object') return text(key);
    const serialized = text(page.attempt(() => key._serialized)) ?? ownString(key);
    if (serialized !== null) return serialized;
    const keyTexts = (page.attempt(() => Object.keys(key)) ?? [])
      .map((name) => page.attempt(() => key[name]))
      .filter(isKeyText);
    if (keyTexts.length === 1) return keyTexts[0];
    const [remote, id] = [widText(page.attempt(() => key.remote)), text(page.attempt(() => key.id))];
    const fromMe = page.attempt(() => key.fromMe);
    if (remote === null || id === null || typeof fromMe !== 'boolean') return null;
    const participant = widText(page.attempt(() => key.participant));
    return [fromMe, remote, id, ...(participant === null ? [] : [participant])].join('_');
  }

  return {
    keyText,
    widText,
    widOf: (id) => page.need('WAWebWidFactory.createWid')(id),
    isPersonId: (id) => id !== null && /@(c\.us|lid|s\.whatsapp\.net)$/.test(id),
    isGroupId: (id) => id?.endsWith('@g.us') === true,
    isBroadcastId: (id) => id !== null && /@(broadcast|newsletter)$/.test(id),
  };
}
