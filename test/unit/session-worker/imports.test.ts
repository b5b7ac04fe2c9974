import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { test } from 'node:test';

/** The modules and packages that a module of src loads, by itself or through others. */
function loadedBy(entry: string, seen = new Set<string>()): Set<string> {
  if (seen.has(entry)) return seen;
  seen.add(entry);
  const source = readFileSync(entry, 'utf8');
  const imports = source.matchAll(/^(?:import|export)\s+(?!type\b)(?:([^;]*?)\sfrom\s+)?'([^']+)';/gm);
  for (const [, names = '', from = ''] of imports) {
    // All that is imported are types, and no code is loaded.
    if (/^\{(?:\s*type\s[^,]+,?)+\s*\}$/.test(names)) continue;
    if (from.startsWith('.')) loadedBy(normalize(join(entry, '..', from.replace(/\.js$/, '.ts'))), seen);
    else seen.add(from);
  }
  return seen;
}

test('a session worker loads no client of Redis: there are many workers, and their supervisor has one', () => {
  const loaded = loadedBy('src/session-worker/main.ts');
  assert.ok(loaded.has('src/platform/store/state-store.ts'));
  assert.ok([...loaded].some((name) => name.startsWith('whatsapp-web.js')));
  for (const name of ['ioredis', 'bullmq']) assert.ok(!loaded.has(name), name);
  assert.ok(loadedBy('src/supervisor/supervisor.ts').has('ioredis'));
});
