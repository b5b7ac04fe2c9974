import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { childrenOf, processesMarked } from './processes.js';

/**
 * Finds what a test file leaves behind. Every process that descends from the file inherits this variable, so it is found
 * even after another process has adopted it.
 */
const markName = 'HOLDLINE_TEST_MARK';
process.env[markName] = randomUUID();
const dirs: string[] = [];

/** Makes a directory for this file, below the system's directory for temporary files. */
export function scratchDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdline-test-'));
  dirs.push(dir);
  return dir;
}

/** Call when everything is closed. Throws if a process, zombie, thread, connection or directory of this file is left. */
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
