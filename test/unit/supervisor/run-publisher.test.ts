import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unconfigured } from '../../../src/contract/session-record.js';
import type { Redis } from '../../../src/platform/redis/connection.js';
import type { Lease } from '../../../src/supervisor/lease.js';
import { RunLostError, RunPublisher } from '../../../src/supervisor/run-publisher.js';
import { logTo } from '../../support/log-lines.js';

/** A Redis that can lose the fence, and accepts a state only after a new claim. */
function stage(renewals: boolean[]) {
  let epoch = 100;
  let fence = '';
  const lost = new AbortController();
  const redis = {
    holdline_trimEvents: async () => 0,
    holdline_claimRun: async () => {
      fence = `${++epoch}.0`;
      return ['claimed', String(epoch), '', '0'];
    },
    getBuffer: async () => null,
    holdline_publishStatus: async (...words: unknown[]) => (words.includes(fence) ? 1 : 0),
    holdline_endRun: async (...words: unknown[]) => (words.includes(fence) ? 1 : 0),
    holdline_markWiped: async (...words: unknown[]) =>
      words.includes(Number.parseInt(fence, 10)) ? '200' : '',
  };
  const lease = {
    lost: lost.signal,
    async renewNow() {
      const isHeld = renewals.shift() ?? true;
      if (!isHeld && renewals.length === 0) lost.abort('the lock is held by another run');
      return isHeld;
    },
  };
  const epochs: number[] = [];
  const lines: Record<string, unknown>[] = [];
  const publisher: RunPublisher = new RunPublisher({
    // Every other command returns nothing.
    redis: new Proxy(redis, {
      has: () => true,
      get: (known, name) => Reflect.get(known, name) ?? (async () => []),
    }) as unknown as Redis,
    lease: lease as unknown as Lease,
    ...{ session: 'default', token: 't', startId: 's', record: () => unconfigured, heartbeatTtlMs: 1_000 },
    facts: { auth_dir: '', chrome_executable: '', headless: true, supervisor: 'x' },
    onEpoch: () => epochs.push(publisher.fence.epoch),
    onBound: () => undefined,
    log: logTo(lines),
  });
  return {
    publisher,
    epochs,
    lines,
    lose() {
      fence = 'lost';
    },
  };
}

test('each new epoch of a run is reported, whatever write claimed it', async () => {
  const { publisher, epochs, lose } = stage([]);
  await publisher.claim(0);
  lose();
  await publisher.publish('starting');
  lose();
  assert.equal(await publisher.markWiped(), 200);
  assert.deepEqual(epochs, [101, 102, 103]);
});

test('one refused renewal does not lose the run', async () => {
  const { publisher, lose } = stage([false, true]);
  await publisher.claim(0);
  lose();
  await publisher.publish('starting');
  assert.equal(publisher.fence.epoch, 102);
});

test('a lock of another run ends the writes', async () => {
  const { publisher, lose } = stage([false]);
  await publisher.claim(0);
  lose();
  await assert.rejects(publisher.publish('starting'), RunLostError);
});

test('each change of the published state is one line: from what, to what, and why', async () => {
  const { publisher, lines, lose } = stage([]);
  await publisher.claim(0);
  await publisher.publish('starting');
  publisher.logState('qr');
  // The next code.
  publisher.logState('qr');
  publisher.lastError = 'the browser died';
  lose();
  await publisher.publish('disconnected');
  await publisher.publish('starting');
  publisher.lastError = null;
  publisher.logState('ready');
  await publisher.end('stopped', { id: 'x', kind: 'logout' }, { unlinked: true, reason: null });
  const changes = lines.filter(({ msg }) => msg === 'session state changed');
  assert.deepEqual(
    changes.map(({ from, to, reason }) => [from, to, reason]),
    [
      ['stopped', 'starting', undefined],
      ['starting', 'qr', undefined],
      ['qr', 'disconnected', 'the browser died'],
      ['disconnected', 'starting', undefined],
      ['starting', 'ready', undefined],
      ['ready', 'stopped', 'logout'],
    ],
  );
});
