import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Product } from '../support/product.js';
import { replaceFile } from '../support/replace-file.js';
import { Stage } from '../support/stage.js';

/** The real client's thread is broken from inside, by a module that Node loads into the product. */
let stage: Stage;
let product: Product;
let trigger: string;

before(async () => {
  stage = await Stage.open();
  trigger = join(stage.dir, 'thread-fault');
  // Beside the compiled tests lies the source tree: this program is not compiled.
  const preload = fileURLToPath(new URL('../../../test/support/programs/thread-fault.cjs', import.meta.url));
  const timing = { loopBeatIntervalMs: 500, loopHungAfterMs: 6_000 };
  product = stage.start('all', { THREAD_FAULT_FILE: trigger, WHATSAPP_TIMING: JSON.stringify(timing) }, [
    '--require',
    preload,
  ]);
  await product.post('/api/auth/start');
  await stage.whatsApp.phone.scanCurrent();
  await product.until((s) => s.ready, 'ready');
});
after(() => stage.close());

const rows = [
  { fault: 'throw', lastError: /the session worker failed: thrown on purpose/ },
  { fault: 'exit', lastError: /the session worker exited with code 7/ },
  { fault: 'reject', lastError: /the session worker failed: rejected on purpose/ },
  { fault: 'busy', lastError: /the session worker did not respond for \d+ s/ },
  { fault: 'memory', lastError: /the session worker used more than \d+ MB/ },
] as const;

for (const { fault, lastError } of rows) {
  test(`a thread that dies of "${fault}" is replaced on the same browser and login`, async () => {
    const before = await product.status();
    const [browser] = await stage.browsers();
    replaceFile(trigger, fault);
    const down = await product.until((s) => s.last_error !== null, 'the fault shows');
    assert.match(down.last_error ?? '', lastError);
    assert.notEqual(down.state, 'ready');
    const up = await product.until((s) => s.ready, 'ready on a new thread');
    assert.equal(up.epoch, before.epoch);
    assert.ok(up.incarnation > before.incarnation);
    const after = await stage.browsers();
    assert.equal(after.length, 1);
    // The first failure costs a thread only; what fails again soon gets a new browser.
    if (fault === 'throw') assert.equal(after[0]?.pid, browser?.pid);
    const { connections, mostActingAtOnce } = await stage.whatsApp.phone.state();
    assert.equal(connections.length, 1);
    assert.equal(mostActingAtOnce, 1);
  });
}
