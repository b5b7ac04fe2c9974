import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FromHttp, ToHttp } from '../../../src/contract/http-process-messages.js';

/** What a scripted process of HTTP does once it is told to serve. */
export type HttpBehaviour = 'serves' | 'exits' | 'refuses' | 'falls silent' | 'ignores its stop';

/** One life of it. */
export interface HttpRecord {
  readonly pid: number;
  readonly told: ToHttp;
}

/**
 * Behaves towards the supervisor as the process that serves HTTP does, and listens nowhere. SCRIPTED_HTTP is a directory
 * with `behaviours.json`, one for each life, of which the last goes on; it leaves `records`, a line for each life.
 */
const dir = process.env.SCRIPTED_HTTP ?? '';
const say = (message: FromHttp) => process.send?.(message, () => undefined);

process.once('message', (told: ToHttp) => {
  const record: HttpRecord = { pid: process.pid, told };
  appendFileSync(join(dir, 'records'), `${JSON.stringify(record)}\n`);
  const lives = readFileSync(join(dir, 'records'), 'utf8').trim().split('\n').length;
  const behaviours = JSON.parse(readFileSync(join(dir, 'behaviours.json'), 'utf8')) as HttpBehaviour[];
  const behaviour = behaviours[lives - 1] ?? behaviours.at(-1);
  if (behaviour === 'exits') process.exit(7);
  if (behaviour === 'refuses') {
    const refusal: FromHttp = { type: 'refused', message: 'the port is in use' };
    process.send?.(refusal, () => process.exit(78));
    return;
  }
  const port = told.port ?? 4_321;
  say({ type: 'listening', port, url: `http://127.0.0.1:${port}` });
  if (behaviour !== 'falls silent') setInterval(() => say({ type: 'alive' }), 100);
  if (behaviour === 'ignores its stop') setInterval(() => undefined, 1_000);
  else process.once('disconnect', () => process.exit(0));
});
