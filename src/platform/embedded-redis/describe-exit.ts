import { join } from 'node:path';
import type { RedisExit, RedisProcess } from './process.js';

/** One sentence for the operator: why the server exited and, if known, what to do. */
export function describeExit(exit: RedisExit, server: RedisProcess, directory: string): string {
  const damage = server.outputTail().find((line) => damagedFile.test(line));
  if (damage !== undefined) {
    const folder = join(directory, 'appendonlydir');
    return (
      `the append-only file of the embedded Redis is damaged (${withoutPrefix(damage)}): copy ${folder} away, ` +
      `run redis-check-aof --fix ${join(folder, 'appendonly.aof.manifest')}, and start again`
    );
  }
  if (exit.signal !== null) return `the embedded Redis was ended by ${exit.signal}`;
  if (exit.code === null) return 'the embedded Redis ended';
  if (exit.code === 0)
    return 'the embedded Redis was shut down from outside, by SIGTERM or the command SHUTDOWN';
  return `the embedded Redis ended with exit code ${exit.code}${lastLineOf(server)}`;
}

const damagedFile =
  /bad file format|unexpected end of file|append only file.*redis-check-aof|error reading the RDB|wrong signature|rdb file reading failure|invalid AOF manifest|AOF .* doesn't exist/i;

/** The last line of the output, for the end of a sentence; empty if there is none. */
export function lastLineOf(server: RedisProcess): string {
  const line = server.outputTail().at(-1);
  return line === undefined ? '' : ` (its last output: ${withoutPrefix(line)})`;
}

/** Redis begins each line like this: `1234:M 23 Nov 2026 02:05:00.000 # text` */
function withoutPrefix(line: string): string {
  return line.replace(/^\d+:\w \d+ \w+ \d+ [\d:.]+ . /, '');
}
