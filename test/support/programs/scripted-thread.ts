import { appendFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type MessagePort, parentPort } from 'node:worker_threads';
import { pino } from 'pino';
import type { OnBound } from '../../../src/contract/bounds.js';
import type { ExitReason } from '../../../src/contract/exit-reasons.js';
import { logoutResults } from '../../../src/contract/intent.js';
import type { Account, SessionState } from '../../../src/contract/status.js';
import type { FromThread, ThreadData, ToThread } from '../../../src/contract/thread-messages.js';
import type { FoundMessage, SendCommands, SentText } from '../../../src/contract/worker-commands.js';
import { pause } from '../../../src/platform/deadline.js';
import { RemoteConnection } from '../../../src/platform/redis/remote-connection.js';
import { EventRelay } from '../../../src/session-worker/event-relay.js';
import { StateWriter } from '../../../src/session-worker/state-writer.js';
import { ask } from '../ask-browser.js';
import {
  isAcked,
  isAmong,
  type LookUpBehaviour,
  lookUpBehaviour,
  readSent,
  takeThreadBehaviour,
} from '../scripted-processes.js';

/**
 * A session worker without WhatsApp. It speaks the thread's protocol and writes its states under the fence. The test's
 * script directory names what it does: one behaviour for each incarnation.
 */
const port = parentPort as NonNullable<typeof parentPort>;
// Until then it is a warm thread and does nothing.
const data = await new Promise<ThreadData>((resolve) => {
  port.once('message', (message: ToThread) => {
    if (message.type === 'begin') resolve(message.data);
    else process.exit();
  });
});
const log = pino({ level: 'silent' });
const scriptDir = dirname(data.run.chrome_executable);
const say = (message: FromThread) => port.postMessage(message);
const redis = new RemoteConnection(data.redis, log);
const onBound: OnBound = (bound) => say({ type: 'bound', bound });
const writer = new StateWriter(redis, data.run, log, (fence) => say({ type: 'fenced', fence }), onBound);
const relay = new EventRelay(redis, () => writer.run, log, onBound);
const account: Account = { wid: '4915112345678@c.us', pushname: 'Ada', platform: 'android' };
const behaviour = takeThreadBehaviour(scriptDir);
const hoarded: unknown[] = [];
let lastState: SessionState = 'starting';
const lateIds = new Set<string>();

const alive = setInterval(() => say({ type: 'alive' }), data.timing.loopBeatIntervalMs);
port.on('message', (message: ToThread) => {
  switch (message.type) {
    case 'attach':
      return void attach(message.browser);
    case 'begin':
      return;
    case 'fence':
      return writer.refence(message.fence);
    case 'command':
      return void runCommand(message).then((answer) => answer === null || say(answer));
    case 'login-kept':
      return;
    case 'logout':
      return say({
        type: 'logged-out',
        result:
          lastState === 'authenticated' || lastState === 'ready'
            ? logoutResults.unlinked
            : logoutResults.nothingLinked,
      });
    case 'stop':
      return behaviour === 'never answers stop' ? undefined : void stop();
    default:
      message satisfies never;
  }
});

async function attach(browser: MessagePort): Promise<void> {
  const { epoch, incarnation } = data.run;
  const { product } = await ask(browser, 'Browser.getVersion');
  const record = { epoch, incarnation, behaviour, browser: product };
  appendFileSync(join(scriptDir, 'thread-records'), `${JSON.stringify(record)}\n`);
  await ask(browser, 'Target.createTarget', { url: 'about:blank' });
  await play();
}

async function play(): Promise<void> {
  if (behaviour.startsWith('fails: ')) {
    const reason = behaviour.slice('fails: '.length) as ExitReason;
    return say({ type: 'failed', reason, message: `scripted: ${reason}` });
  }
  switch (behaviour) {
    case 'stays starting':
      return;
    case 'throws':
      setImmediate(() => {
        throw new TypeError('scripted: it threw');
      });
      return;
    case 'exits':
      return process.exit(7);
    case 'leaves a rejection unhandled':
      void Promise.reject(new Error('scripted: it rejected'));
      return;
    case 'runs out of memory':
      return hoard();
    case 'shows a qr':
      return publish('qr');
    case 'stays authenticated':
      return publish('authenticated');
    default:
      publish('authenticated');
      publish('ready');
      if (behaviour === 'spins') setTimeout(spin, 50);
  }
}

function publish(state: SessionState): void {
  const image = state === 'qr' ? { png: Buffer.from('png'), base64: 'cG5n' } : null;
  const qr = state === 'qr' ? { number: 1, issued_at: new Date().toISOString(), expires_at: null } : null;
  const known = state === 'qr' ? null : account;
  lastState = state;
  const lastError = behaviour === 'writes too much' ? 'e'.repeat(100_000) : null;
  writer.write({ state, lastError, account: known, qr }, { qr: image, pairingCode: null, passkey: null });
  say({ type: 'state', state, account: known });
}

/**
 * Plays a WhatsApp that takes every message at once and keeps it when thread and browser end. A message that begins with
 * "late once" is late the first time. One that begins with "event" causes an event. The script directory names the
 * recipients and messages that get no answer.
 */
async function runCommand({
  id,
  operation,
  input,
}: Extract<ToThread, { type: 'command' }>): Promise<FromThread | null> {
  const answer = (output: unknown): FromThread => ({ type: 'answer', id, output });
  const { messageId, waitMs } = input as Record<string, string> & { waitMs: number };
  switch (operation) {
    case 'chats':
      return answer({ ok: true, count: 0, chats: [] });
    case 'prepareSend': {
      recordCall(operation, input);
      const prepared = lookUp(input as SendCommands['prepareSend']['input']);
      if (prepared === 'never answers') return null;
      if (prepared !== 'is unanswered' && prepared !== 'is interrupted') return answer(prepared);
      const code = prepared.replace('is ', '');
      return { type: 'refusal', id, code, message: `scripted: ${prepared}` };
    }
    case 'sendTexts': {
      recordCall(operation, input);
      const { messages, notAfter } = input as SendCommands['sendTexts']['input'];
      if (messages.some(({ chatId }) => isAmong('held-sends', scriptDir, chatId))) return null;
      if (messages.some(({ chatId }) => isAmong('endless-sends', scriptDir, chatId)))
        return answer([{ type: 'pending' }]);
      const answers: SentText[] = [];
      for (const { messageId, message } of messages) {
        const isLate = Date.now() > notAfter || (message.startsWith('late once') && !lateIds.has(messageId));
        answers.push({ type: isLate ? 'late' : 'sent' });
        if (isLate) {
          lateIds.add(messageId);
          break;
        }
        appendFileSync(join(scriptDir, 'sent'), `${JSON.stringify({ messageId, message })}\n`);
        if (message.startsWith('event')) publishAck(messageId);
      }
      return answer(answers);
    }
    case 'findSent':
      return answer(find(messageId));
    case 'untilAcked': {
      const until = performance.now() + waitMs;
      while (find(messageId)?.ack === 0 && performance.now() < until) await pause(20);
      return answer(find(messageId));
    }
    default:
      return { type: 'refusal', id, code: 'whatsapp_error', message: 'scripted' };
  }
}

/** Publishes an event of this message. It is lost only if the thread ends first. */
function publishAck(id: string): void {
  const data = { id, chat_id: 'scripted', ack: 1 };
  relay.add([{ type: 'message_ack', data }]).catch(() => undefined);
}

function lookUp({ phoneNumber, chatId, jobId }: SendCommands['prepareSend']['input']): LookUpBehaviour {
  const id = chatId ?? `${phoneNumber}@c.us`;
  const scripted = lookUpBehaviour(scriptDir, phoneNumber ?? id);
  if (typeof scripted === 'string') return scripted;
  const answeredId = typeof scripted?.chatId === 'string' ? scripted.chatId : id;
  return { chatId: answeredId, messageId: `true_${answeredId}_${jobId}`, phone: phoneNumber, ...scripted };
}

function recordCall(operation: string, input: unknown): void {
  appendFileSync(join(scriptDir, 'calls'), `${JSON.stringify({ operation, input })}\n`);
}

function find(messageId: string | undefined): FoundMessage | null {
  const sent = readSent(scriptDir).find((message) => message.messageId === messageId);
  return sent === undefined ? null : { ack: isAcked(scriptDir, sent) ? 1 : 0, timestamp: null };
}

/** Allocates in small steps, so that the thread does not hang before it runs out of memory. */
function hoard(): void {
  for (let i = 0; i < 10; i++) hoarded.push(new Array(100_000).fill(hoarded.length));
  setImmediate(hoard);
}

function spin(): void {
  for (;;);
}

async function stop(): Promise<void> {
  clearInterval(alive);
  await Promise.all([writer.stop(), relay.stop()]);
  redis.close();
  say({ type: 'stopped' });
  port.close();
}
