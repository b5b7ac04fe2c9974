import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Account, SessionState } from '../../../src/contract/status.js';
import type { FromThread, ThreadData, ToThread } from '../../../src/contract/thread-messages.js';
import type { SendCommands } from '../../../src/contract/worker-commands.js';
import { ask } from '../ask-browser.js';
import type { FromLightThread, ToLightThread } from '../light-threads.js';

/**
 * A session worker that is linked and `ready` at once, for a thousand of them on one machine: it loads no library, which takes a
 * tenth of the time and half of the memory. What the session worker does with Redis, its process does for it
 * (test/support/light-threads.ts).
 */
const port = parentPort as NonNullable<typeof parentPort>;
const say = (message: FromThread | FromLightThread) => port.postMessage(message);
const account: Account = { wid: '4915112345678@c.us', pushname: 'Ada', platform: 'android' };
let alive: NodeJS.Timeout | undefined;

port.on('message', (message: ToThread | ToLightThread) => {
  switch (message.type) {
    case 'begin':
      return begin(message.data);
    case 'attach':
      return void attach(message.browser);
    case 'fence':
      return say({ type: 'light-fence', fence: message.fence });
    case 'light-say':
      return say(message.message);
    case 'command':
      return answer(message);
    case 'logout':
      return say({ type: 'logged-out', result: { unlinked: true, reason: null } });
    case 'stop':
      clearInterval(alive);
      return say({ type: 'light-stop' });
    case 'light-stopped':
      say({ type: 'stopped' });
      return port.close();
    case 'login-kept':
      return;
    default:
      message satisfies never;
  }
});

function begin(data: ThreadData): void {
  port.postMessage({ type: 'light-begin', data } satisfies FromLightThread, [data.redis]);
  alive = setInterval(() => say({ type: 'alive' }), data.timing.loopBeatIntervalMs);
}

async function attach(browser: MessagePort): Promise<void> {
  await ask(browser, 'Target.createTarget', { url: 'about:blank' });
  publish('authenticated');
  publish('ready');
}

function publish(state: SessionState): void {
  say({ type: 'light-state', state, account });
  say({ type: 'state', state, account });
}

/** Every message is sent and acknowledged at once. */
function answer({ id, operation, input }: Extract<ToThread, { type: 'command' }>): void {
  const output = (() => {
    switch (operation) {
      case 'chats':
        return { ok: true, count: 0, chats: [] };
      case 'prepareSend': {
        const { phoneNumber, chatId, jobId } = input as SendCommands['prepareSend']['input'];
        const to = chatId ?? `${phoneNumber}@c.us`;
        return { chatId: to, messageId: `true_${to}_${jobId}`, phone: phoneNumber };
      }
      case 'sendTexts':
        return (input as SendCommands['sendTexts']['input']).messages.map(() => ({ type: 'sent' }));
      case 'findSent':
      case 'untilAcked':
        return { ack: 1, timestamp: null };
      default:
        return null;
    }
  })();
  if (output === null) say({ type: 'refusal', id, code: 'whatsapp_error', message: 'scripted' });
  else say({ type: 'answer', id, output });
}
