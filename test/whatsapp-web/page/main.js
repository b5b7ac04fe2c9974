// Starts the page: storage, models, window.require and window.Debug (all that whatsapp-web.js uses of the
// page), then the stream to the server.

import { loadCredentials, loadKeys } from './credentials.js';
import { Emitter, Model } from './models.js';
import { createModules } from './modules.js';
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
const modules = createModules(models, keys);

window.require = (name) => {
  if (Object.hasOwn(modules, name) && !boot.missingModules.includes(name)) return modules[name];
  stream.send({ type: 'unknown-module', name });
  throw new Error(`Requiring unknown module "${name}"`);
};
if (!boot.withoutDebug) window.Debug = { VERSION: boot.version };

stream.open();
