import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { eventually } from '../support/eventually.js';
import { lasting } from '../support/matrix/fault-row.js';
import { kill } from '../support/processes.js';
import type { Product } from '../support/product.js';
import { busyMachineTiming, Stage } from '../support/stage.js';

/**
 * Kills in the first seconds of a login, before Chromium has written it to the disk. No kill may cost a second scan.
 * HOLDLINE_FAULTS=all adds less dangerous moments.
 */
let stage: Stage;
let product: Product;

before(async () => {
  stage = await Stage.open();
  product = startProduct();
  await product.runs();
});
after(() => stage.close());

type Victim = 'browser' | 'product' | 'host';
interface Row {
  readonly victim: Victim;
  readonly at: 'authenticated' | 'ready';
  readonly afterMs: number;
}

const victims: readonly Victim[] = ['browser', 'product', 'host'];
const worst: readonly Row[] = [
  ...victims.map((victim) => ({ victim, at: 'ready', afterMs: 0 }) as const),
  { victim: 'host', at: 'authenticated', afterMs: 0 },
];
const others: readonly Row[] = victims.flatMap((victim) => [
  ...[500, 1_000, 2_000, 5_000].map((afterMs) => ({ victim, at: 'ready', afterMs }) as const),
  { victim, at: 'authenticated', afterMs: 250 },
]);

for (const { victim, at, afterMs } of process.env.HOLDLINE_FAULTS === 'all' ? [...worst, ...others] : worst) {
  test(`the ${victim} is killed ${afterMs} ms after the first ${at}: ready again without a scan`, async () => {
    const linked = await logIn(at);
    // At `ready` the login is kept; `authenticated` comes a moment earlier.
    await eventually(isKept);
    await lasting(afterMs);
    await strike(victim);
    const seen = new Set<string>();
    if (victim !== 'browser') {
      const first = await product.status();
      assert.ok(!first.ready || first.epoch > linked.epoch, 'no answer shows the dead run as ready');
    }
    const back = await product.until((s) => {
      seen.add(s.state);
      return s.ready && (s.epoch > linked.epoch || s.incarnation > linked.incarnation);
    }, 'ready again');
    assert.ok(!seen.has('qr'), `states seen: ${[...seen]}`);
    assert.equal(back.account?.wid, '15550001111@c.us');
    assert.equal((await stage.whatsApp.phone.state()).devices.length, 1);
  });
}

test('control: without the kept login and without the backup, the same kill costs a scan', async () => {
  const { epoch } = await logIn('ready');
  await strike('host', async () => {
    await rm(join(stage.dir, 'auth', 'session-default.storage.json'));
    await rm(join(stage.dir, 'data'), { recursive: true });
  });
  const next = await product.until((s) => s.epoch > epoch && (s.has_qr || s.ready), 'qr or ready');
  assert.equal(next.state, 'qr');
});

test('the kept login is deleted once the login is on the disk; a stop before that leaves it for the next browser', async () => {
  await logIn('ready');
  await product.post('/api/stop');
  assert.equal(await isKept(), true);
  await product.post('/api/auth/start');
  await product.until((s) => s.ready, 'ready without a scan');
  await eventually(async () => !(await isKept()), {
    timeoutMs: 60_000,
    message: 'the kept login is deleted',
  });
});

/** Logs out what was linked before, then logs in by a scan as far as `state`. */
async function logIn(state: 'authenticated' | 'ready'): Promise<Status> {
  await product.post('/api/logout');
  for (const { id } of (await stage.whatsApp.phone.state()).devices) await stage.whatsApp.phone.unlink(id);
  await product.post('/api/auth/start');
  await product.until((s) => s.has_qr, 'a code to scan');
  assert.equal((await stage.whatsApp.phone.scanCurrent()).linked, true);
  return product.until((s) => s.ready || s.state === state, `${state} after the scan`);
}

async function strike(victim: Victim, meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  const killed =
    victim === 'host'
      ? await stage.processes()
      : victim === 'browser'
        ? await stage.browsers()
        : [{ pid: product.pid }];
  for (const { pid } of killed) kill(pid);
  if (victim === 'browser') return;
  await product.exited();
  if (victim === 'host') {
    await stage.nothingLeft();
    // Chromium may or may not have written this, depending on the load. Here it never has.
    await rm(join(stage.dir, 'auth', 'session-default', 'Default', 'Local Storage'), {
      ...{ recursive: true, force: true },
    });
  }
  await meanwhile();
  product = startProduct();
}

/** Keeps a login long enough for the stop or kill to come first on a busy machine. */
function startProduct(): Product {
  const timing = { ...busyMachineTiming, loginSettleMs: 15_000 };
  return stage.start('all', { WHATSAPP_TIMING: JSON.stringify(timing) });
}

async function isKept(): Promise<boolean> {
  return (await readdir(join(stage.dir, 'auth'))).includes('session-default.storage.json');
}
