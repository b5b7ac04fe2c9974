import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { promisify } from 'node:util';

const autocannon = createRequire(import.meta.url).resolve('autocannon');
const run = promisify(execFile);

export interface Load {
  readonly requestsPerS: number;
  readonly p99Ms: number;
}

/** Loads one URL from its own process. `perS`: at this rate, with latencies corrected for requests that had to wait. */
export async function load(
  url: string,
  { connections = 64, seconds = 2, perS }: { connections?: number; seconds?: number; perS?: number } = {},
): Promise<Load> {
  const rate = perS === undefined ? [] : ['--overallRate', String(Math.round(perS))];
  const args = ['--json', '--connections', String(connections), '--duration', String(seconds), ...rate, url];
  const { stdout } = await run(process.execPath, [autocannon, ...args], { maxBuffer: 16 * 2 ** 20 });
  const result = JSON.parse(stdout) as AutocannonResult;
  if (result.errors > 0 || result.non2xx > 0) {
    throw new Error(`${url}: ${result.errors} errors, ${result.non2xx} answers other than 2xx`);
  }
  return { requestsPerS: result.requests.total / result.duration, p99Ms: result.latency.p99 };
}

interface AutocannonResult {
  readonly errors: number;
  readonly non2xx: number;
  readonly duration: number;
  readonly requests: { readonly total: number };
  readonly latency: { readonly p99: number };
}
