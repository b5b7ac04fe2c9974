// Starts the page: storage, models, window.require and window.Debug (all that whatsapp-web.js uses of the
// page), then the stream to the server.

import { Chats } from './chats.js';
import { loadCredentials, loadKeys } from './credentials.js';
import { Emitter, Model } from './models.js';
import { createModules } from './modules.js';
import { loadPending, Outbox } from './outbox.js';
import { Stream } from './stream.js';

const boot = JSON.parse(document.getElementById('boot').textContent);
const keys = await loadKeys();

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
  /** Who is logged in, by phone number and by hidden id; unknown until CONNECTED. */
  me: undefined,
  /** The kind of this device, the last field of a QR text. */
  platform: '1',
};
const stream = new Stream(models, keys, await loadCredentials());
const me = () => models.me;
const chats = new Chats(me);
const outbox = new Outbox(chats, stream, me, await loadPending());
const modules = createModules({ models, keys, stream, chats, outbox });

stream.onMail = (mail) => {
  switch (mail.type) {
    case 'history':
      outbox.restore();
      chats.applyHistory(withoutPending(mail.chats));
      outbox.sendPending();
      break;
    case 'message':
      chats.applyMessage(mail);
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

/** What the page still has to send it does not learn from the server: the ack of the next sending tells it. */
function withoutPending(history) {
  return history.map(({ chat, messages }) => ({
    chat,
    messages: messages.filter(({ id }) => !outbox.isPending(id)),
  }));
}

window.require = (name) => {
  if (Object.hasOwn(modules, name) && !boot.missingModules.includes(name)) return modules[name];
  stream.send({ type: 'unknown-module', name });
  throw new Error(`Requiring unknown module "${name}"`);
};
if (!boot.withoutDebug) window.Debug = { VERSION: boot.version };

stream.open();
