import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { childrenOf, processesMarked } from './processes.js';

/**
 * What a test file must not leave behind. Every process that descends from it inherits a mark, so that it is found
 * wherever it has been adopted.
 */
const markName = 'HOLDLINE_TEST_MARK';
process.env[markName] = randomUUID();
const dirs: string[] = [];

/** A directory of this file's own, below the system's for temporary files. */
export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdline-test-'));
  dirs.push(dir);
  return dir;
}

/** To be called when everything is closed: throws if a process, zombie or connection of this file is left. */
export async function assertNothingLeft(): Promise<void> {
  await Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 10 })));
  await eventually(() => {
    const commands = processesMarked(`${markName}=${process.env[markName]}`).map(
      ({ pid, commandLine }) => `${pid} ${commandLine.join(' ').slice(0, 120)}`,
    );
    assert.deepEqual(commands, [], 'a process was left over');
    assert.deepEqual(childrenOf(process.pid), [], 'a child was not reaped');
    const connections = process.getActiveResourcesInfo().filter((name) => /^TCP|Worker/.test(name));
    assert.deepEqual(connections, [], 'a connection or thread was left over');
    return true;
  });
  const kept = readdirSync(tmpdir()).filter((name) => dirs.includes(join(tmpdir(), name)));
  assert.deepEqual(kept, [], 'a directory was left over');
}
