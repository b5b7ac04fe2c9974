import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it, mock } from 'node:test';
import { AcceptTurns } from '../../../../src/http/commands/accept-turns.js';
import { SharedPace } from '../../../../src/platform/session-pace.js';

const perS = 10;

describe('the turns in which messages are accepted', () => {
  let nowMs: number;
  let closing: AbortController;
  let queue: AcceptTurns;
  let other: AcceptTurns;

  beforeEach(() => {
    nowMs = 0;
    closing = new AbortController();
    const pace = new SharedPace(perS, () => nowMs);
    queue = new AcceptTurns(pace, closing.signal);
    other = new AcceptTurns(pace, closing.signal);
    mock.timers.enable({ apis: ['setTimeout'] });
  });
  afterEach(() => mock.timers.reset());

  /** Lets time pass, and everything happen that is due by then. */
  async function pass(ms: number): Promise<void> {
    for (let i = 0; i < ms; i += 10) {
      nowMs += 10;
      mock.timers.tick(10);
      await new Promise(setImmediate);
    }
  }

  /** Asks for `count` turns at once. Returns the numbers of those that came, in their order. */
  function ask(count: number): number[] {
    const came: number[] = [];
    for (let nth = 0; nth < count; nth++) void queue.next().then(() => came.push(nth));
    return came;
  }

  const numbers = (count: number) => Array.from({ length: count }, (_, nth) => nth);

  it('come at once in the only session that is used', async () => {
    const came = ask(100);
    await new Promise(setImmediate);
    assert.deepEqual(came, numbers(100));
  });

  it('come in order and at the pace while another session is used now and then, which never waits', async () => {
    await other.next();
    const came = ask(30);
    for (let s = 1; s <= 2; s++) {
      await pass(1_000);
      await other.next();
      assert.ok(came.length >= s * perS && came.length <= s * perS + 5, `${came.length} after ${s} s`);
    }
    await pass(1_000);
    assert.deepEqual(came, numbers(30));
  });

  it('come after 5 s at the latest', async () => {
    await other.next();
    const came = ask(100);
    await pass(4_900);
    assert.ok(came.length < 60, String(came.length));
    await pass(200);
    assert.deepEqual(came, numbers(100));
  });

  it('come at once for the oldest while more than 128 wait', async () => {
    await other.next();
    const came = ask(1_000);
    await new Promise(setImmediate);
    assert.deepEqual(came, numbers(1_000 - 128));
  });

  it('come when the replica closes', async () => {
    await other.next();
    const came = ask(50);
    await pass(100);
    assert.ok(came.length < 10, String(came.length));
    closing.abort();
    const late = ask(3);
    await pass(10);
    assert.deepEqual([came, late], [numbers(50), numbers(3)]);
  });
});
