import { importAsset } from './assets.js';
import type { PageSettings } from './page-settings.js';

export type PageModules = Readonly<Record<string, unknown>>;

type Make<T> = new (...args: unknown[]) => T;

/** The modules of a page with these settings, without a browser. They are only for inspection: calls reach no server. */
export async function loadPageModules(settings: PageSettings): Promise<PageModules> {
  const script = (name: string) => importAsset(`page/${name}.js`);
  const [models, people, chats, outbox, linking, messageKey, wid, modules] = await Promise.all(
    ['models', 'people', 'chats', 'outbox', 'linking', 'message-key', 'wid', 'modules'].map(script),
  );
  const { Emitter, Model } = models as { Emitter: Make<object>; Model: Make<object> };
  const { createWid } = wid as { createWid(id: string): object };
  const self = { pn: createWid('15550001111@c.us'), lid: createWid('990001111@lid') };
  const me = () => self;
  const { createMessageKey } = messageKey as { createMessageKey(field: string, me: () => object): unknown };
  const MsgKey = createMessageKey(settings.keyField, me);
  const stream = { ask: () => new Promise(() => {}), send: () => {}, refreshQr: () => {} };
  const known = new (people as { People: Make<object> }).People(me, settings.lidChats);
  const allChats = new (chats as { Chats: Make<object> }).Chats({
    me,
    usesLids: settings.lidChats,
    MsgKey,
    people: known,
  });
  const page = {
    settings,
    models: {
      Socket: new Model({}),
      Conn: new Model({}),
      Cmd: new Emitter(),
      Offline: {},
      me: self,
      platform: '1',
    },
    keys: {},
    stream,
    passkey: {},
    linking: new (linking as { Linking: Make<object> }).Linking({}, () => {}),
    chats: allChats,
    people: known,
    outbox: new (outbox as { Outbox: Make<object> }).Outbox({ chats: allChats, stream, me, MsgKey }, []),
    MsgKey,
  };
  // The page adds this when there is a stream.
  Object.assign(page.models.Socket, { logout: () => {} });
  return (modules as { createModules(page: object): PageModules }).createModules(page);
}

/** The value of `Module.member.inner`; undefined: a part of the path is missing. */
export function memberOf(modules: PageModules, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (value, name) => (value === null || value === undefined ? undefined : (value as PageModules)[name]),
      modules,
    );
}
