import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Status } from '../../src/contract/status.js';
import { readQr } from '../support/stage.js';
import { docker, Stack } from './stack.js';

/**
 * Tests the image and docker-compose.yml on a real engine, from the first start to a restored backup. Each step continues
 * from the one before. After a failed step the others are not tried.
 */
let stack: Stack;
let last: Status;
let failed: string | null = null;

function step(title: string, work: () => Promise<void>): void {
  test(title, async () => {
    if (failed !== null) throw new Error(`not tried, because this failed: ${failed}`);
    failed = title;
    await work();
    failed = null;
  });
}

before(async () => {
  stack = await Stack.open();
});
after(() => stack.close());

const ownerOf = (status: Status) => /^supervisor-[12]/.exec(status.supervisor ?? '')?.[0] ?? '';
const otherThan = (service: string) => (service === 'supervisor-1' ? 'supervisor-2' : 'supervisor-1');

for (const name of ['REDIS_PASSWORD', 'WHATSAPP_API_KEYS', 'WHATSAPP_CREDENTIALS_KEY']) {
  step(`without ${name} nothing starts, and the message says how to make one`, async () => {
    await assert.rejects(stack.compose(['up', '-d'], { without: name }), (error: Error) => {
      assert.match(error.message, new RegExp(`set ${name} in .env \\(.+ makes one\\)`));
      return true;
    });
  });
}

step(
  'two supervisors and three replicas come up healthy, as an unprivileged user, on a read-only disk',
  async () => {
    await stack.compose(['up', '-d']);
    for (const service of ['redis', 'supervisor-1', 'supervisor-2', 'http'])
      await stack.untilHealthy(service);
    assert.equal((await stack.containersOf('http')).length, 3);
    const supervisor = await stack.containerOf('supervisor-1');
    assert.match(await docker('exec', supervisor, 'id', '-u'), /^10001$/);
    await assert.rejects(docker('exec', supervisor, 'touch', '/app/x'), /Read-only file system/);
  },
);

step('the API is behind the key', async () => {
  assert.equal((await stack.fetch('/api/status', {}, null)).status, 401);
  assert.equal((await stack.fetch('/api/status')).status, 200);
});

step('a login: a start, a QR, a scan, ready; in a browser with its sandbox', async () => {
  await stack.post('/api/auth/start');
  await stack.until((status) => status.has_qr, 'a QR');
  const png = Buffer.from(await (await stack.fetch('/qr.png')).arrayBuffer());
  assert.equal(readQr(png).text, await stack.whatsApp.phone.currentQr());
  assert.equal((await stack.whatsApp.phone.scanCurrent()).linked, true);
  last = await stack.until((status) => status.ready, 'ready after the scan');
  const processes = await docker('top', await stack.containerOf(ownerOf(last)), '-eo', 'pid,args');
  assert.match(processes, /--type=zygote/);
  assert.doesNotMatch(processes, /--no-sandbox/);
});

step('the container that owns the session is killed: the other takes over without a scan', async () => {
  const owner = ownerOf(last);
  await docker('kill', await stack.containerOf(owner));
  last = await stack.readyWithoutQr(last.epoch);
  assert.equal(ownerOf(last), otherThan(owner));
  await stack.compose(['up', '-d', '--no-deps', owner]);
  await stack.untilHealthy(owner);
});

step('five replicas serve after --scale http=5, and no request fails when one is killed', async () => {
  await stack.compose(['up', '-d', '--no-recreate', '--scale', 'http=5']);
  const replicas = await stack.containersOf('http');
  assert.equal(replicas.length, 5);
  await stack.untilHealthy('http');
  await docker('kill', replicas[0] ?? '');
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => (await stack.fetch('/api/status')).status),
  );
  assert.deepEqual(new Set(answers), new Set([200]));
});

step('an upgrade, one supervisor after the other, needs no scan', async () => {
  await docker('tag', 'holdline:local', 'holdline:next');
  const owner = ownerOf(last);
  for (const service of [otherThan(owner), owner]) {
    await stack.compose(['up', '-d', '--no-deps', service], { image: 'holdline:next' });
    await stack.untilHealthy(service);
  }
  last = await stack.readyWithoutQr(last.epoch);
  assert.equal(ownerOf(last), otherThan(owner));
  const image = await docker('inspect', '-f', '{{.Config.Image}}', await stack.containerOf(ownerOf(last)));
  assert.equal(image, 'holdline:next');
});

step('everything is lost except a backup file and .env: the restored session needs no scan', async () => {
  await stack.shell('$COMPOSE exec -T supervisor-1 holdline backup - >"$DIR/holdline.age"');
  await stack.compose(['down', '--volumes', '--timeout', '25']);
  await stack.compose(['up', '-d', 'redis']);
  await stack.untilHealthy('redis');
  await stack.shell('$COMPOSE run --rm -T supervisor-1 restore - <"$DIR/holdline.age"');
  await stack.compose(['up', '-d']);
  assert.notEqual((await stack.post<Status>('/api/auth/start')).state, 'qr');
  last = await stack.readyWithoutQr(last.epoch);
  assert.equal((await stack.whatsApp.phone.state()).devices.length, 1);
});
