import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { packFolder } from '../../../../src/supervisor/credentials/archive.js';
import { scratchDir } from '../../../support/leftovers.js';

test('an aborted packing whose folder is removed causes no unhandled error, at any moment', async () => {
  for (let moment = 0; moment < 60; moment++) {
    const dir = scratchDir();
    for (let i = 0; i < 40; i++) writeFileSync(join(dir, `file-${i}`), randomBytes(4_000));
    const end = new AbortController();
    const drain = async (compressed: AsyncIterable<Buffer>) => {
      for await (const _ of compressed);
    };
    const packed = packFolder(dir, drain, end.signal).catch(() => undefined);
    for (let i = 0; i < moment; i++) await turn();
    end.abort(new Error('given up'));
    await packed;
    rmSync(dir, { recursive: true });
    // tar may still read a file: its error event must have a listener.
    for (let i = 0; i < 20; i++) await turn();
  }
});
