// Starts the page: storage, models, window.require and window.Debug (whatsapp-web.js uses nothing else of the page), then
// the stream to the server.

import { reportAgents } from './agents.js';
import { deviceName } from './browser-info.js';
import { Chats } from './chats.js';
import { loadCredentials, loadKeys } from './credentials.js';
import { Linking } from './linking.js';
import { createLogout } from './logout.js';
import { createMessageKey } from './message-key.js';
import { Emitter, Model } from './models.js';
import { createModules } from './modules.js';
import { loadPending, Outbox } from './outbox.js';
import { Passkey } from './passkey.js';
import { People } from './people.js';
import { Stream } from './stream.js';

/** The page settings from the server: page-settings.ts. */
const settings = JSON.parse(document.getElementById('boot').textContent);
const keys = await loadKeys();
const credentials = await loadCredentials();

const models = {
  Socket: new Model({ state: 'OPENING', hasSynced: false }),
  Conn: new Model({
    ref: undefined,
    pushname: undefined,
    platform: undefined,
    battery: undefined,
    plugged: undefined,
  }),
  Cmd: new Emitter(),
  Offline: { percent: 0 },
  /** The account's ids: phone number, hidden id, and `self`, the one in use. Undefined until CONNECTED. */
  me: undefined,
  /** The kind of this device: the last field of a QR text. */
  platform: '1',
};
const me = () => models.me;
const linking = new Linking(keys, (adv) => stream.send({ type: 'secret', adv }));
const stream = new Stream({ settings, models, keys, credentials, linking });
const passkey = new Passkey(linking, stream);
const MsgKey = createMessageKey(settings.keyField, me);
const people = new People(me, settings.lidChats);
const chats = new Chats({ me, usesLids: settings.lidChats, MsgKey, people });
const outbox = new Outbox({ chats, stream, me, MsgKey }, await loadPending());
const page = { settings, models, keys, stream, linking, passkey, chats, people, outbox, MsgKey };
const modules = createModules(page);
const { leave, logout } = createLogout({ ...page, modules: () => modules });
models.Socket.logout = logout;
stream.onPasskey = (message) => passkey.receive(message);
stream.onLoggedOut = () => void leave();
stream.deviceName = () => deviceName(settings, () => modules);

stream.onMail = (mail) => {
  people.learn(mail.contacts);
  switch (mail.type) {
    case 'history':
      outbox.restore();
      chats.applyHistory(withoutPending(mail.chats));
      outbox.sendPending();
      break;
    case 'filled':
      chats.applyFilled(mail.chats);
      break;
    case 'messages':
      chats.applyMessages(mail);
      break;
    case 'unusual-message':
      chats.applyUnusualMessage(mail);
      break;
    case 'unusual-chat':
      chats.applyUnusualChat(mail);
      break;
    case 'chat':
      chats.applyChat(mail);
      break;
    case 'ack':
      outbox.settle(mail);
      chats.applyAck(mail);
      break;
  }
};

/** Without messages that the page still has to send: it learns their fate from the ack of the next attempt. */
function withoutPending(history) {
  return history.map(({ chat, messages }) => ({
    chat,
    messages: messages.filter(({ id }) => !outbox.isPending(id)),
  }));
}

window.require = (name) => {
  if (Object.hasOwn(modules, name) && !settings.missing.includes(name)) return modules[name];
  stream.lacksModule(name);
  throw new Error(`Requiring unknown module "${name}"`);
};
if (!settings.withoutDebug) window.Debug = { VERSION: settings.version };

stream.open();
reportAgents();
