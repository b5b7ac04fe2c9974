import type {
  Ack,
  ChatOverview,
  ChatRecord,
  ChatSettings,
  FromPhone,
  Incoming,
  MessageRecord,
  ReceivedMessage,
} from './chat-records.js';
import { acknowledge, announceChat, announceMessage } from './deliveries.js';
import { type Device, refuseScan, type ScanResult } from './linking.js';
import { inWords, toWid } from './mailbox.js';
import { describe, type WhatsAppWebState } from './state.js';
import { note, type World } from './world.js';

/** The phone: it owns the account, scans QR codes and sees what is linked to it; and those it writes with. */
export interface Phone {
  /** Scans this text as a phone would; refusals come with their reason. */
  scan(qrText: string): Promise<ScanResult>;
  /** Scans the newest valid QR code of an open page. */
  scanCurrent(): Promise<ScanResult>;
  /** Types a pairing code, spaces, dashes and small letters allowed. */
  enterCode(code: string): Promise<ScanResult>;
  /** Logs a device out, or all of them; says which. Its open pages are told at once, others when they return. */
  unlink(deviceId?: string): Promise<string[]>;
  /** Another browser takes over: pages that are logged in fall into CONFLICT. */
  conflict(): Promise<void>;
  /** Puts logged-in pages into any state, as WhatsApp does with TOS_BLOCK or DEPRECATED_VERSION. */
  showState(state: string): Promise<void>;
  /** The text of the QR code that could be scanned now. */
  currentQr(): Promise<string | null>;
  /** The pairing code that could be typed now. */
  currentCode(): Promise<string | null>;
  state(): Promise<WhatsAppWebState>;
  /** Newest activity first. */
  chats(): Promise<ChatOverview[]>;
  /** Oldest first; `chat` is an id or a number. */
  messages(chat: string): Promise<MessageRecord[]>;
  /** Makes a chat or changes it; an id ending in `@g.us` makes a group. */
  setChat(chat: string, settings?: ChatSettings): Promise<ChatRecord>;
  /** Somebody writes to the account. */
  receive(message: Incoming): Promise<MessageRecord>;
  /** The owner writes on the phone. */
  send(message: FromPhone): Promise<MessageRecord>;
  /** The owner reads the chat on the phone. */
  markRead(chat: string): Promise<void>;
  /** The other side gets or reads a message of the account, now and not after its delay. */
  acknowledge(messageId: string, ack: Ack): Promise<void>;
  /** What the server got from pages, and how often each. */
  received(): Promise<ReceivedMessage[]>;
}

export function createPhone(world: World): Phone {
  return { ...linkingOf(world), ...chatsOf(world), state: async () => describe(world) };
}

function linkingOf(world: World) {
  const { codes, linking } = world;

  function link(result: { linked: true; device: Device } | ScanResult, pageId: string): ScanResult {
    if (!result.linked) {
      note(world, `The phone was refused: ${result.message}`);
      return result;
    }
    if (!('device' in result)) return result;
    note(world, `${result.device.id} was linked on the phone.`);
    for (const page of world.connections) if (page.pageId === pageId) page.pair(result.device);
    return { linked: true, deviceId: result.device.id };
  }

  function scan(qrText: string): ScanResult {
    const result = linking.scan(qrText);
    return link(result, result.linked ? result.ref.pageId : '');
  }

  function enterCode(code: string): ScanResult {
    const result = codes.enter(code, world.account.wid.split('@')[0] ?? '', linking);
    return link(result, result.linked ? result.pageId : '');
  }

  function unlink(deviceId: string): string {
    if (!linking.unlink(deviceId)) throw new Error(`no device "${deviceId}" is linked`);
    note(world, `${deviceId} was unlinked on the phone.`);
    for (const page of world.connections) if (page.device?.id === deviceId) page.logOut();
    return deviceId;
  }

  function showState(state: string): void {
    note(world, `Logged-in pages were put into the state ${state}.`);
    for (const page of world.connections) if (page.device) page.showState(state);
  }

  return {
    scan: async (qrText: string) => scan(qrText),
    scanCurrent: async () => {
      const current = linking.currentRef();
      return current ? scan(current.qr) : refuseScan('no-qr');
    },
    enterCode: async (code: string) => enterCode(code),
    unlink: async (deviceId?: string) => (deviceId ? [deviceId] : [...linking.devices.keys()]).map(unlink),
    conflict: async () => showState('CONFLICT'),
    showState: async (state: string) => showState(state),
    currentQr: async () => linking.currentRef()?.qr ?? null,
    currentCode: async () => codes.current()?.code ?? null,
  };
}

function chatsOf(world: World) {
  const { mailbox } = world;

  function announced(message: MessageRecord): MessageRecord {
    announceMessage(world, message);
    return { ...message };
  }

  return {
    chats: async () => structuredClone(mailbox.chats()),
    messages: async (chat: string) => structuredClone(mailbox.messages(toWid(chat))),
    setChat: async (chat: string, settings?: ChatSettings) => {
      const record = mailbox.setChat(chat, settings);
      announceChat(world, record);
      return { ...record };
    },
    receive: async (incoming: Incoming) => {
      const message = announced(mailbox.receive(incoming));
      note(world, `A message came from ${inWords(message.author ?? message.from)}.`);
      return message;
    },
    send: async (outgoing: FromPhone) => announced(mailbox.sendFromPhone(outgoing)),
    markRead: async (chat: string) => announceChat(world, mailbox.markRead(chat)),
    acknowledge: async (messageId: string, ack: Ack) => acknowledge(world, messageId, ack),
    received: async () => mailbox.received(),
  };
}
