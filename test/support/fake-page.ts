import { createContext, runInContext } from 'node:vm';
import {
  type AgentFunction,
  agentCall,
  installAgent,
} from '../../src/session-worker/whatsapp/in-page/agent.js';
import type { AgentAnswer } from '../../src/session-worker/whatsapp/in-page/page-access.js';

type Plain = Record<string, unknown>;

/** The part of a WhatsApp Web page that the agent uses: modules by name, and the messages it sent to Node. */
export interface FakePage {
  readonly window: Plain;
  readonly modules: Record<string, Plain | undefined>;
  /** Messages of the agent to Node. */
  readonly sentToNode: Plain[];
  call(name: AgentFunction, input?: unknown): Promise<AgentAnswer>;
  /** Calls and returns the value; throws any other answer. */
  value<T>(name: AgentFunction, input?: unknown): Promise<T>;
}

class FakeWid {
  readonly _serialized: string;
  constructor(text: string) {
    this._serialized = text;
  }
  toString(): string {
    return this._serialized;
  }
}

/** Makes message keys whose text is in `field`. WhatsApp changes that name. */
function keyClass(field: string) {
  return class Key {
    readonly fromMe: boolean;
    readonly remote: FakeWid;
    readonly id: string;
    constructor({ to, id, selfDir }: { to: FakeWid; id: string; selfDir: string }) {
      this.fromMe = selfDir === 'out';
      this.remote = to;
      this.id = id;
      Object.assign(this, { [field]: `${this.fromMe}_${to._serialized}_${id}` });
    }
    toString(): string {
      return (this as unknown as Record<string, string>)[field] ?? '';
    }
  };
}

/** A page with every module that the agent needs. Its message keys keep their text in `field`. */
export function fakePage(field = '$1'): FakePage {
  const wids = (text: string) => new FakeWid(text);
  const chats: Plain[] = [];
  const messages = new Map<string, Plain>();
  const listeners = new Map<string, (...args: unknown[]) => void>();
  const on = (name: string, listener: (...args: unknown[]) => void) => void listeners.set(name, listener);
  const sentToNode: Plain[] = [];
  const MsgKey = keyClass(field);
  const modules: Record<string, Plain | undefined> = {
    WAWebMsgKey: MsgKey as unknown as Plain,
    WAWebWidFactory: { createWid: wids, asUserWidOrThrow: (wid: FakeWid) => wid },
    WAWebUserPrefsMeUser: {
      getMaybeMePnUser: () => wids('15550001111@c.us'),
      getMaybeMeLidUser: () => wids('990001111@lid'),
    },
    WAWebCollections: {
      Chat: {
        get: (id: unknown) => chats.find((chat) => String(chat.id) === String(id)),
        getModelsArray: () => [...chats],
        add: (chat: Plain) => chats.push(chat),
      },
      Msg: {
        on,
        get: (id: unknown) => messages.get(String(id)),
        getMessagesById: async (ids: string[]) => ({ messages: ids.flatMap((id) => messages.get(id) ?? []) }),
        add: (message: Plain) => {
          messages.set(String(message.id), message);
          listeners.get('add')?.(message);
        },
      },
      Contact: { get: () => undefined },
    },
    WAWebFindChatAction: {
      findOrCreateLatestChat: async (wid: FakeWid) => {
        const chat = chatOf(String(wid));
        chats.push(chat);
        return { chat };
      },
    },
    WAWebQueryExistsJob: { queryWidExists: async (wid: FakeWid) => ({ wid }) },
    WAWebSendMsgChatAction: {
      addAndSendMsgToChat: (_chat: Plain, message: Plain) => {
        messages.set(String(message.id), message);
        return [Promise.resolve(message), Promise.resolve({})];
      },
    },
    WAWebGetEphemeralFieldsMsgActionsUtils: { getEphemeralFields: () => ({}) },
    WAWebUpdateUnreadChatAction: { sendSeen: async () => undefined },
    WAWebStreamModel: { Stream: { markAvailable: () => undefined, markUnavailable: () => undefined } },
    WAWebSendReactionMsgAction: { sendReactionToMsg: async () => undefined },
    WALinkify: { findLink: (text: string) => (text.includes('http') ? { href: text } : null) },
    WAWebLinkPreviewChatAction: { getLinkPreview: async () => ({ data: { title: 'A page' } }) },
    WAWebChatLoadMessages: { loadEarlierMsgs: async () => undefined },
    WAWebLidMigrationUtils: {
      toPn: (wid: FakeWid) => (String(wid).endsWith('@lid') ? null : wid),
      toLid: () => null,
    },
    WAWebNonMessageDataRequestPlaceholderMessageResendUtils: { handlePlaceholderMsgsSeen: () => undefined },
    WAWebSocketModel: {
      Socket: { state: 'CONNECTED', hasSynced: true, on: () => undefined, logout: () => undefined },
    },
    WAWebConnModel: { Conn: {} },
    WAWebCmd: { Cmd: {} },
    WAWebLaunchSocketUtils: { refreshQR: () => undefined },
    WABase64: { encodeB64: () => '' },
    WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: '1' },
    WAWebUserPrefsInfoStore: { waNoiseInfo: {} },
    WAWebSignalStoreApi: { waSignalStore: {} },
    WAWebUserPrefsMultiDevice: { getADVSecretKey: () => '' },
    WAWebAltDeviceLinkingApi: {
      setPairingType: () => undefined,
      initializeAltDeviceLinking: async () => undefined,
      startAltLinkingFlow: async () => 'ABCD1234',
      initializeQRLinking: async () => undefined,
      getPairingType: () => 'QR_CODE',
    },
    WAWebUnpairDeviceJob: { unpairDevice: async () => ({ status: 200 }) },
    WAWebPrepRawMedia: { prepRawMedia: () => undefined },
    WAWebMediaOpaqueData: { createFromData: () => undefined },
    WAWebMediaStorage: { getOrCreateMediaObject: () => undefined },
    WAWebMmsMediaTypes: { msgToMediaType: () => undefined },
    WAWebMediaMmsV4Upload: { uploadMedia: () => undefined },
    WAWebDownloadManager: { downloadManager: {} },
  };
  const window: Plain = {
    require: (name: string) => {
      if (modules[name] === undefined) throw new Error(`Requiring unknown module "${name}"`);
      return modules[name];
    },
    Debug: { VERSION: '2.3000.1044822804' },
    document: { readyState: 'complete', querySelector: () => null },
    location: { search: '', reload: () => undefined },
    holdlineTell: async (message: Plain) => void sentToNode.push(message),
  };
  const context = createContext({ window, setTimeout, clearTimeout, performance });
  runInContext(installAgent, context);
  const call = (name: AgentFunction, input: unknown = null) =>
    runInContext(agentCall(name, input), context) as Promise<AgentAnswer>;
  return {
    window,
    modules,
    sentToNode,
    // An object of another context is never deeply equal to one of this context: copy it.
    call: async (name, input) => JSON.parse(JSON.stringify(await call(name, input))) as AgentAnswer,
    async value<T>(name: AgentFunction, input?: unknown) {
      const answer = JSON.parse(JSON.stringify(await call(name, input))) as AgentAnswer;
      if (answer.type !== 'value') throw new Error(JSON.stringify(answer));
      return answer.value as T;
    },
  };
}

/** A chat of the page with its messages. */
export function chatOf(id: string, attributes: Plain = {}): Plain {
  const messages: Plain[] = (attributes.messages as Plain[] | undefined) ?? [];
  return {
    id: new FakeWid(id),
    t: 1,
    formattedTitle: id,
    unreadCount: 0,
    msgs: { getModelsArray: () => messages },
    ...attributes,
  };
}

/** An incoming message in a chat. Its key keeps its text in `field`, as those of the page. */
export function messageOf(chatId: string, keyId: string, attributes: Plain = {}, field = '$1'): Plain {
  const id = new (keyClass(field))({ to: new FakeWid(chatId), id: keyId, selfDir: 'in' });
  return {
    id,
    from: new FakeWid(chatId),
    to: new FakeWid('990001111@lid'),
    type: 'chat',
    body: 'Hello',
    t: 5,
    ...attributes,
  };
}
