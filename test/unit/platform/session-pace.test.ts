import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { type SessionPace, SharedPace } from '../../../src/platform/session-pace.js';

const unended = new AbortController().signal;
setMaxListeners(0, unended);

/** A session with more to send than it ever may: it takes all that it may, whenever it may. */
class Queue {
  sent = 0;
  readonly #pace: SessionPace;

  constructor(pace: SharedPace) {
    this.#pace = pace.ofSession(() => this.send(), unended);
  }

  send(): void {
    for (let taken = this.#pace.take(8); taken > 0; taken = this.#pace.take(8)) {
      this.sent += taken;
      assert.ok(this.sent < 10_000, 'it does not have to wait');
    }
  }
}

describe('the pace of sends', () => {
  let nowMs: number;
  let pace: SharedPace;

  beforeEach(() => {
    nowMs = 0;
    pace = new SharedPace(20, () => nowMs);
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  function pass(ms: number): void {
    for (const until = nowMs + ms; nowMs < until; ) {
      nowMs++;
      mock.timers.tick(1);
    }
  }

  /** A session that sends `count` messages now, and no more by itself. */
  function send(session: SessionPace, count = 1): number {
    return session.take(count);
  }

  const aside = (ending = unended) => pace.ofSession(() => undefined, ending);

  /** Lets a session with a queue send for `ms`, while `others` send one message each 200 ms. */
  function beside(others: readonly SessionPace[], queues: readonly Queue[], ms: number): void {
    for (let at = 0; at < ms; at += 200) {
      for (const other of others) assert.equal(send(other), 1, `waits ${nowMs}`);
      for (const queue of queues) queue.send();
      pass(200);
    }
  }

  it('lets the only session send as many as it wants', () => {
    const only = aside();
    for (let i = 0; i < 100; i++) assert.equal(send(only, 8), 8);
  });

  it('lets a session with a queue send 20 a second beside one that sends now and then, which never waits', () => {
    const other = aside();
    const queue = new Queue(pace);
    beside([other], [queue], 10_000);
    assert.ok(queue.sent >= 198 && queue.sent <= 212, String(queue.sent));
  });

  it('shares the pace between all sessions with a queue', () => {
    const queues = [new Queue(pace), new Queue(pace), new Queue(pace), new Queue(pace)];
    beside([aside()], queues, 20_000);
    for (const { sent } of queues) assert.ok(sent >= 95 && sent <= 120, queues.map((q) => q.sent).join());
  });

  it('lets each send one a second, however many they are', () => {
    const queues = Array.from({ length: 60 }, () => new Queue(pace));
    beside([aside()], queues, 20_000);
    for (const { sent } of queues) assert.ok(sent >= 20 && sent <= 32, queues.map((q) => q.sent).join());
  });

  it('holds up nobody when all sessions have a queue', () => {
    const [a, b] = [aside(), aside()];
    for (let i = 0; i < 200; i++) {
      assert.equal(send(a, 20), 20);
      assert.equal(send(b, 20), 20);
      pass(10);
    }
  });

  it('ends a minute after the last send of a session without a queue', () => {
    const other = aside();
    const queue = aside();
    send(queue, 20);
    send(other);
    assert.equal(send(queue, 20), 0);
    pass(59_000);
    assert.equal(send(queue, 20), 4);
    pass(2_000);
    assert.equal(send(queue, 20), 20);
  });

  it('counts a session as one with a queue for a while after a burst', () => {
    const bursting = aside();
    const queue = aside();
    send(queue, 20);
    send(bursting, 9);
    assert.equal(send(queue, 20), 20, 'both have a queue');
    pass(5_000);
    send(bursting);
    pass(1);
    assert.equal(send(queue, 20), 4);
  });

  it('ends with the run of the session that sent without a queue', () => {
    const run = new AbortController();
    const other = aside(run.signal);
    const queue = aside();
    send(other);
    assert.equal(send(queue, 20), 4);
    run.abort();
    assert.equal(send(other), 0);
    assert.equal(send(queue, 20), 20);
  });
});
