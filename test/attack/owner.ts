import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Status } from '../../src/contract/status.js';

/**
 * The owner's thread. It requests the status from its own address: over kept connections, and every tenth time over a new
 * one. On the first message it ends and posts its report.
 */
export interface OwnerReport {
  readonly asked: number;
  readonly failed: readonly string[];
  readonly p99Ms: number;
  readonly worstMs: number;
  /** Each life of the session in the answers, as `epoch.incarnation`, and each state. */
  readonly lives: readonly string[];
  readonly states: readonly string[];
}

const { port } = workerData as { readonly port: number };
const everyMs = 25;
const localAddress = '127.0.0.2';
const keptAgent = new Agent({ keepAlive: true, maxSockets: 4 });
const durations: number[] = [];
const failed: string[] = [];
const lives = new Set<string>();
const states = new Set<string>();
let isOver = false;
parentPort?.once('message', () => {
  isOver = true;
});

const asks: Promise<void>[] = [];
for (let number = 0; !isOver; number++) {
  asks.push(ask(number % 10 === 9));
  await sleep(everyMs);
}
await Promise.all(asks);
keptAgent.destroy();
durations.sort((a, b) => a - b);
const report: OwnerReport = {
  asked: asks.length,
  failed,
  p99Ms: Math.round(durations[Math.ceil(durations.length * 0.99) - 1] ?? 0),
  worstMs: Math.round(durations.at(-1) ?? 0),
  lives: [...lives],
  states: [...states],
};
parentPort?.postMessage(report);

async function ask(isFresh: boolean): Promise<void> {
  const startedAt = performance.now();
  try {
    const status = await statusNow(isFresh ? false : keptAgent);
    lives.add(`${status.epoch}.${status.incarnation}`);
    states.add(status.state);
  } catch (error) {
    failed.push((error as Error).message);
  }
  durations.push(performance.now() - startedAt);
}

function statusNow(agent: Agent | false): Promise<Status> {
  return new Promise((resolve, reject) => {
    const path = '/api/status';
    const request = get(
      { host: '127.0.0.1', port, path, localAddress, agent, timeout: 60_000 },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          body += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(body) as Status);
          else reject(new Error(`answered ${response.statusCode}: ${body.slice(0, 200)}`));
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 60 s')));
    request.on('error', reject);
  });
}
