import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type MadeBackup, makeBackup } from '../../src/backup/make-backup.js';
import { type Restored, restoreBackup } from '../../src/backup/restore-backup.js';
import { restoreReport } from '../../src/backup/restore-report.js';
import { readSealed } from '../../src/backup/sealed-file.js';
import type { Scope } from '../../src/contract/access.js';
import { randomKey } from '../../src/platform/api-key.js';
import { sha256Hex } from '../../src/platform/digest.js';
import { sealProxyLogin } from '../../src/platform/proxy-login.js';
import { rememberNumbers } from '../../src/platform/store/lid-map.js';
import { addMadeKey } from '../../src/platform/store/made-keys.js';
import { putSession } from '../../src/platform/store/session-register.js';
import { unpackFolder } from '../../src/supervisor/credentials/archive.js';
import { linkOn, type Machine, machineOn, never, passphrase } from './backup-machines.js';
import { assertNothingLeft, scratchDir } from './leftovers.js';
import { startRedisNode } from './redis-fleet.js';

export const server = 'http://proxy.example:3128';
export const proxyLogin = { username: 'me', password: 'proxy password' };

/** Of each session, what is missing in the backup, or whether it has a login. */
export const problemsOf = ({ sessions }: MadeBackup) =>
  Object.fromEntries(sessions.map(({ session, loginAt, problem }) => [session, problem ?? loginAt !== null]));

/** In the operator's words. */
export const reportOf = (restored: Restored) => restoreReport(restored, {});

/** A machine with three sessions and a key, and an empty one: `default` and `shop` are linked, `spare` never was. */
export async function startStageOfAll() {
  const [source, target] = await Promise.all([startRedisNode(), startRedisNode()]);
  const file = join(scratchDir(), 'all.age');
  const first = machineOn(source);
  const stage = {
    ...{ target, file, link, makeKey },
    here: first,
    there: machineOn(target, first.keyText),
    /** The text of the key that is made for `shop`. */
    keyText: '',
    /** Before each test. */
    async reset(): Promise<void> {
      await Promise.all([source.redis.flushall(), target.redis.flushall(), rm(file, { force: true })]);
      const here = machineOn(source);
      stage.here = here;
      // With the same key, as a deployment that moves has it: the password of a proxy is encrypted with it.
      stage.there = machineOn(target, here.keyText);
      await link(here, 'default', 'the login of default');
      await putSession(here.redis, 'spare', { metadata: { team: 'later' } });
      const [key] = here.config.credentialsKeys;
      assert.ok(key);
      const login = sealProxyLogin(proxyLogin, key, { session: 'shop', server });
      await putSession(here.redis, 'shop', { proxy: { server, login } });
      await link(here, 'shop', 'the login of shop');
      stage.keyText = await makeKey(here, 'send', ['shop']);
    },
    backUp(session: string | null = null): Promise<MadeBackup> {
      const { config } = stage.here;
      return makeBackup({ config, session, target: file, passphrase, settings: { A_B: 'c' } }, never);
    },
    restore(session: string | null = null, isReplacing = false): Promise<Restored> {
      const { config } = stage.there;
      return restoreBackup({ config, session, source: file, passphrase, isReplacing }, never);
    },
    /** The files of the backup. */
    async unpacked(): Promise<string> {
      const dir = scratchDir();
      await unpackFolder(readSealed(file, passphrase, never), dir, () => true, never);
      return dir;
    },
    async close(): Promise<void> {
      await Promise.all([source.close(), target.close()]);
      await assertNothingLeft();
    },
  };
  return stage;
}

/** A login with these bytes, as the snapshot of a run, and an event. */
async function link(of: Machine, session: string, text: string): Promise<void> {
  const account = { wid: `49${session.length}@c.us`, pushname: session, platform: 'android' };
  const writer = await linkOn(of, session, text, account);
  await writer.publish({ account });
  await rememberNumbers(of.redis, session, writer.fence, account.wid, [
    { lid: '77@lid', phone: '491511234567' },
  ]);
}

/** Returns the text of a key named `shop-key`. */
async function makeKey(of: Machine, scope: Scope, sessions: string[] | null): Promise<string> {
  const text = randomKey();
  const key = { name: 'shop-key', scope, sha256: sha256Hex(text), sessions };
  const times = { created_at: new Date().toISOString(), expires_at: null };
  assert.equal(await addMadeKey(of.redis, { ...key, ...times }), 'added');
  return text;
}
