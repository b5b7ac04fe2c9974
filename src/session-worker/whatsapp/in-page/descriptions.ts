import type { Person } from '../../../contract/whatsapp.js';
import type { Contacts } from './contacts.js';
import type { Ids } from './ids.js';
import type { Foreign, PageAccess } from './page-access.js';

/** A message as it leaves the page: small and plain. Each field is read on its own; Node checks it again. */
export interface PageMessage {
  readonly id: string | null;
  readonly chatId: string | null;
  readonly from: string | null;
  readonly to: string | null;
  readonly author: string | null;
  readonly fromMe: boolean;
  readonly type: string | null;
  readonly body: string;
  /** `body` may be only the beginning of the text. */
  readonly isTruncated: boolean;
  readonly t: number | null;
  readonly hasMedia: boolean;
  readonly sender: Person | null;
}

export interface PageChat {
  readonly id: string | null;
  readonly name: string | null;
  readonly isGroup: boolean;
  readonly isReadOnly: boolean;
  readonly unreadCount: number;
  readonly t: number | null;
  readonly archived: boolean;
  readonly pinned: boolean;
  readonly muted: boolean;
  readonly contact: Person | null;
}

export interface Descriptions {
  describeMessage(message: Foreign): PageMessage;
  describeChat(chat: Foreign): PageChat;
  /** A line of the chat that WhatsApp wrote, not a person. */
  isNotification(message: Foreign): boolean;
  /** Unix seconds; null if the page has no plausible time. */
  timeOf(model: Foreign): number | null;
}

export function descriptions(page: PageAccess & Ids & Contacts): Descriptions {
  const maxBodyLength = 70_000;
  const maxNameLength = 512;
  /** Year 5138. Larger values are milliseconds or nonsense, and would sort above all others. */
  const maxTime = 1e11;
  const typesWithCaption = [
    'image',
    'video',
    'gif',
    'audio',
    'ptt',
    'ptv',
    'document',
    'sticker',
    'album',
    'product',
  ];

  function read(model: Foreign, name: string): Foreign {
    return page.attempt(() => model[name]);
  }

  function text(value: Foreign, maxLength = maxBodyLength): string | null {
    return typeof value === 'string' && value !== '' ? value.slice(0, maxLength) : null;
  }

  function number(value: Foreign): number | null {
    return typeof value === 'number' && Number.isFinite(value) ? value : null;
  }

  function timeOf(model: Foreign): number | null {
    const t = number(read(model, 't'));
    return t !== null && t > 0 && t < maxTime ? t : null;
  }

  /** Base64: some messages have a thumbnail as their body. */
  function isEncoded(body: string): boolean {
    return body.length > 120 && /^[A-Za-z0-9+/\r\n]+={0,2}$/.test(body);
  }

  /** What a person can read: text, caption, question of a poll, name of a place or of a contact. */
  function bodyOf(message: Foreign, type: string | null, isMedia: boolean): string {
    const caption = text(read(message, 'caption'));
    switch (type) {
      case 'chat':
        return (isMedia ? caption : text(read(message, 'body'))) ?? '';
      case 'location':
      case 'live_location':
        return text(read(message, 'loc')) ?? text(read(message, 'comment')) ?? caption ?? '';
      case 'poll_creation':
        return text(read(message, 'pollName')) ?? '';
      case 'event_creation':
        return text(read(message, 'eventName')) ?? '';
      case 'vcard':
        return text(read(message, 'vcardFormattedName')) ?? '';
      case 'multi_vcard':
        return vcardNames(read(message, 'vcardList'));
      case 'ciphertext':
      case 'revoked':
        return '';
      default:
        return otherBody(message, caption, isMedia || typesWithCaption.includes(type ?? ''));
    }
  }

  function otherBody(message: Foreign, caption: string | null, isMedia: boolean): string {
    if (isMedia) return caption ?? '';
    const body = text(read(message, 'body'));
    return (body !== null && !isEncoded(body) ? body : null) ?? caption ?? text(read(message, 'title')) ?? '';
  }

  function vcardNames(list: Foreign): string {
    const names = (Array.isArray(list) ? list : []).map((each) =>
      text(read(each, 'displayName'), maxNameLength),
    );
    return names.filter(Boolean).join(', ');
  }

  function senderOf(message: Foreign, fromMe: boolean, author: Foreign, from: Foreign, isLid: boolean) {
    const wid = fromMe ? page.ownWid(isLid) : (author ?? from);
    const person = page.personOf(wid);
    if (person === null || person.name !== null || fromMe) return person;
    return { ...person, name: text(read(message, 'notifyName'), maxNameLength) };
  }

  return {
    timeOf,
    isNotification: (message) => read(message, 'isNotification') === true,
    describeMessage(message) {
      const key = read(message, 'id');
      const fromMe = read(key, 'fromMe') === true;
      const [from, to] = [read(message, 'from'), read(message, 'to')];
      const chatId = page.widText(read(key, 'remote')) ?? page.widText(fromMe ? to : from);
      const author = read(message, 'author') ?? read(key, 'participant');
      const type = text(read(message, 'type'), 64);
      const isMedia = Boolean(read(message, 'mediaKey')) || Boolean(read(message, 'directPath'));
      const body = bodyOf(message, type, isMedia);
      const isLid = page.widText(author ?? from)?.endsWith('@lid') === true;
      return {
        id: page.keyText(key),
        chatId,
        from: page.widText(from),
        to: page.widText(to),
        author: page.widText(read(message, 'author')),
        fromMe,
        type,
        body,
        isTruncated: body.length >= maxBodyLength,
        t: timeOf(message),
        hasMedia: isMedia,
        sender: senderOf(message, fromMe, author, from, isLid),
      };
    },
    describeChat(chat) {
      const wid = read(chat, 'id');
      const id = page.widText(wid);
      const group = read(chat, 'groupMetadata');
      const isGroup = page.isGroupId(id) || (group !== null && group !== undefined && !page.isPersonId(id));
      const contact = page.personOf(wid);
      return {
        id,
        name:
          text(read(chat, 'formattedTitle'), maxNameLength) ??
          text(read(chat, 'name'), maxNameLength) ??
          text(read(group, 'subject'), maxNameLength) ??
          contact?.name ??
          null,
        isGroup,
        isReadOnly: read(group, 'announce') === true || read(chat, 'isReadOnly') === true,
        unreadCount: Math.trunc(number(read(chat, 'unreadCount')) ?? 0),
        t: timeOf(chat),
        archived: read(chat, 'archive') === true,
        pinned: Boolean(read(chat, 'pin')),
        muted: Boolean(read(read(chat, 'mute'), 'expiration')),
        contact,
      };
    },
  };
}
