import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { MessagePort } from 'node:worker_threads';
import { MiB } from '../../../../src/contract/bounds.js';
import { DebuggingPipe, TargetGoneError } from '../../../../src/supervisor/browser/debugging-pipe.js';
import { eventually } from '../../../support/eventually.js';

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId?: string };
  readonly sessionId?: string;
}

/** The browser's end of a pipe: the messages that it got and those that it sends. */
class Browser {
  readonly input = new PassThrough();
  readonly output = new PassThrough();
  readonly pipe = new DebuggingPipe(this.input, this.output);
  readonly asked: Message[] = [];
  #sessions = 0;

  constructor() {
    let unread = '';
    this.input.on('data', (chunk: Buffer) => {
      const messages = `${unread}${chunk}`.split('\0');
      unread = messages.pop() ?? '';
      for (const message of messages) this.#onMessage(JSON.parse(message) as Message);
    });
  }

  say(message: object): void {
    this.output.write(`${JSON.stringify(message)}\0`);
  }

  /** A port, and its session in the browser. */
  async openPort(): Promise<{ port: MessagePort; session: string; heard: string[] }> {
    const session = String(this.#sessions + 1).padStart(32, 'A');
    const port = this.pipe.openPort();
    const heard: string[] = [];
    port.on('message', (message: string) => heard.push(message));
    port.postMessage('{"id":1,"method":"Target.setDiscoverTargets","params":{}}');
    await eventually(() => this.asked.some(({ sessionId }) => sessionId === session));
    return { port, session, heard };
  }

  #onMessage(message: Message): void {
    this.asked.push(message);
    if (message.method !== 'Target.attachToBrowserTarget') return;
    const sessionId = String(++this.#sessions).padStart(32, 'A');
    this.say({ id: message.id, result: { sessionId } });
  }
}

test('a command returns its result or throws the error of the browser', async () => {
  const browser = new Browser();
  const version = browser.pipe.command('Browser.getVersion', {});
  const refused = browser.pipe.command('Target.closeTarget', { targetId: 'none' });
  await eventually(() => browser.asked.length === 2);
  browser.say({ id: 2, error: { message: 'No target with given id found' } });
  browser.say({ id: 1, result: { product: 'Chrome/156' } });
  assert.deepEqual(await version, { product: 'Chrome/156' });
  await assert.rejects(refused, /^Error: Target.closeTarget: No target with given id found$/);
});

test('the events of the browser, and of sessions without a holder, go to their listener', async () => {
  const browser = new Browser();
  const heard: unknown[] = [];
  browser.pipe.on('Fetch.authRequired', (params, session) => heard.push([params, session]));
  const asked = browser.pipe.command('Fetch.enable', {});
  browser.say({ method: 'Fetch.authRequired', params: { of: 'a page' }, sessionId: 'A'.repeat(32) });
  browser.say({ method: 'Fetch.requestPaused', params: { of: 'another kind' } });
  browser.say({ method: 'Fetch.authRequired', params: { of: 'the browser' } });
  browser.say({ id: 1, result: {} });
  await asked;
  assert.deepEqual(heard, [
    [{ of: 'a page' }, 'A'.repeat(32)],
    [{ of: 'the browser' }, undefined],
  ]);
});

test('a command ends with its signal and with the browser', async () => {
  const browser = new Browser();
  const leaving = new AbortController();
  const left = browser.pipe.command('Target.getTargets', {}, leaving.signal);
  leaving.abort(new Error('too late'));
  await assert.rejects(left, /too late/);
  const cut = browser.pipe.command('Target.getTargets', {});
  browser.output.destroy();
  await assert.rejects(cut, /the browser is gone/);
  await assert.rejects(browser.pipe.command('Target.getTargets', {}), /the browser is gone/);
});

test('a command to a page settles by the answer or the crash of that page only', async () => {
  const browser = new Browser();
  const [page, other] = ['A'.repeat(32), 'B'.repeat(32)];
  const ask = (session: string) => browser.pipe.command('Runtime.evaluate', {}, undefined, session);
  const answered = ask(page);
  await eventually(() => browser.asked.length === 1);
  assert.deepEqual(browser.asked, [{ id: 1, method: 'Runtime.evaluate', params: {}, sessionId: page }]);
  browser.say({ id: 1, result: { of: 'the browser' } });
  browser.say({ id: 1, result: { of: 'another page' }, sessionId: other });
  browser.say({ method: 'Inspector.targetCrashed', params: {}, sessionId: other });
  browser.say({ id: 1, result: { of: 'the page' }, sessionId: page });
  assert.deepEqual(await answered, { of: 'the page' });
  const lost = ask(page);
  browser.say({ method: 'Inspector.targetCrashed', params: {}, sessionId: page });
  await assert.rejects(lost, /^Error: Runtime.evaluate: the page has crashed$/);
});

test('a command to a page that is gone before it answers is rejected', async () => {
  const browser = new Browser();
  const [page, other] = ['A'.repeat(32), 'B'.repeat(32)];
  const ask = (session: string) => browser.pipe.command('Runtime.evaluate', {}, undefined, session);
  const [lost, kept] = [ask(page), ask(other)];
  await eventually(() => browser.asked.length === 2);
  browser.say({ method: 'Target.detachedFromTarget', params: { sessionId: page, targetId: 'x' } });
  await assert.rejects(lost, new TargetGoneError('Runtime.evaluate: the page or worker is gone'));
  browser.say({ id: 2, result: { of: 'the other' }, sessionId: other });
  assert.deepEqual(await kept, { of: 'the other' });
});

test('the holder of a port has its own session, which it does not see', async () => {
  const browser = new Browser();
  const { port, session, heard } = await browser.openPort();
  assert.deepEqual(browser.asked.at(-1), {
    ...{ id: 1, method: 'Target.setDiscoverTargets', params: {}, sessionId: session },
  });
  browser.say({ id: 1, result: {}, sessionId: session });
  await eventually(() => heard.length === 1);
  assert.deepEqual(heard, ['{"id":1,"result":{}}']);
  port.close();
});

test('messages of nested sessions keep their session id in both directions', async () => {
  const browser = new Browser();
  const { port, session, heard } = await browser.openPort();
  const page = 'B'.repeat(32);
  const attached = { sessionId: page, targetInfo: { type: 'page' }, waitingForDebugger: false };
  browser.say({ method: 'Target.attachedToTarget', params: attached, sessionId: session });
  browser.say({ method: 'Page.loadEventFired', params: {}, sessionId: page });
  await eventually(() => heard.length === 2);
  assert.equal((JSON.parse(heard[1] ?? '') as Message).sessionId, page);
  port.postMessage(`{"id":2,"method":"Page.enable","params":{},"sessionId":"${page}"}`);
  await eventually(() => browser.asked.some(({ id, sessionId }) => id === 2 && sessionId === page));
  browser.say({ method: 'Target.detachedFromTarget', params: { sessionId: page }, sessionId: session });
  browser.say({ method: 'Page.loadEventFired', params: {}, sessionId: page });
  browser.say({ id: 3, result: {}, sessionId: session });
  await eventually(() => heard.at(-1) === '{"id":3,"result":{}}');
  assert.equal(heard.length, 4, 'no message of the detached page');
  port.close();
});

test('two ports are separate, and a closed port ends its session', async () => {
  const browser = new Browser();
  const one = await browser.openPort();
  const other = await browser.openPort();
  browser.say({ id: 7, result: {}, sessionId: one.session });
  browser.say({ id: 8, result: {}, sessionId: other.session });
  await eventually(() => one.heard.length === 1 && other.heard.length === 1);
  one.port.close();
  await eventually(() => browser.asked.some(({ method }) => method === 'Target.detachFromTarget'));
  assert.equal(browser.asked.at(-1)?.params?.sessionId, one.session);
  browser.say({ id: 9, result: {}, sessionId: one.session });
  browser.say({ id: 10, result: {}, sessionId: other.session });
  await eventually(() => other.heard.length === 2);
  other.port.close();
});

test('a port closes with the browser, even one that is opened later', async () => {
  const browser = new Browser();
  const { port } = await browser.openPort();
  const closed = once(port, 'close');
  browser.output.destroy();
  await closed;
  await once(
    browser.pipe.openPort().on('message', () => undefined),
    'close',
  );
});

test('messages are assembled from any pieces, even within a character', async () => {
  const browser = new Browser();
  const { port, session, heard } = await browser.openPort();
  const said = Buffer.from(`${JSON.stringify({ id: 1, result: { name: 'Zoë €🙂' }, sessionId: session })}\0`);
  for (let i = 0; i < said.length; i++) browser.output.write(said.subarray(i, i + 1));
  await eventually(() => heard.length === 1);
  assert.deepEqual(JSON.parse(heard[0] ?? ''), { id: 1, result: { name: 'Zoë €🙂' } });
  port.close();
});

test('the browser waits for a reader that is 16 MiB behind, until it has caught up or closed', async () => {
  const browser = new Browser();
  const { port, session, heard } = await browser.openPort();
  const other = await browser.openPort();
  const say = () => browser.say({ method: 'x', params: 'x'.repeat(8 * MiB), sessionId: session });
  say();
  await eventually(() => heard.length === 1);
  assert.equal(browser.output.isPaused(), false);
  say();
  await eventually(() => heard.length === 2 && browser.output.isPaused());
  port.postMessage(heard[0]?.length);
  await eventually(() => !browser.output.isPaused());
  say();
  await eventually(() => browser.output.isPaused());
  port.close();
  await eventually(() => !browser.output.isPaused());
  browser.say({ id: 2, result: {}, sessionId: other.session });
  await eventually(() => other.heard.length === 1);
  other.port.close();
});

test('a message of more than 64 MiB is dropped, and no other', async () => {
  const browser = new Browser();
  const { port, session, heard } = await browser.openPort();
  const filling = Buffer.alloc(MiB, 'x');
  browser.output.write(`{"id":1,"result":"`);
  for (let i = 0; i < 64; i++) browser.output.write(filling);
  browser.output.write(`","sessionId":"${session}"}\0`);
  browser.say({ id: 2, result: {}, sessionId: session });
  await eventually(() => heard.length === 1);
  assert.deepEqual(heard, ['{"id":2,"result":{}}']);
  port.close();
});

test('an invalid message is ignored', async () => {
  const browser = new Browser();
  const version = browser.pipe.command('Browser.getVersion', {});
  await eventually(() => browser.asked.length === 1);
  browser.output.write('{"id":\0');
  browser.say({ id: browser.asked[0]?.id, result: { product: 'Scripted Browser 1.0' } });
  assert.deepEqual(await version, { product: 'Scripted Browser 1.0' });
});
