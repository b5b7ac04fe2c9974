import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FromHttp, ToHttp } from '../../../src/contract/http-process-messages.js';

/** What the scripted HTTP process does when it is told to serve. */
export type HttpBehaviour = 'serves' | 'exits' | 'refuses' | 'falls silent' | 'ignores its stop';

/** One life of the process. */
export interface HttpRecord {
  readonly pid: number;
  readonly message: ToHttp;
}

/**
 * Plays the HTTP process to the supervisor; it does not listen. SCRIPTED_HTTP is a directory with `behaviours.json`: one
 * behaviour for each life, the last for all later ones. The program appends one line for each life to `records` there.
 */
const dir = process.env.SCRIPTED_HTTP ?? '';
const say = (message: FromHttp) => process.send?.(message, () => undefined);

process.once('message', (message: ToHttp) => {
  const record: HttpRecord = { pid: process.pid, message };
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
  const port = message.port ?? 4_321;
  say({ type: 'listening', port, url: `http://127.0.0.1:${port}` });
  if (behaviour !== 'falls silent') setInterval(() => say({ type: 'alive' }), 100);
  if (behaviour === 'ignores its stop') setInterval(() => undefined, 1_000);
  else process.once('disconnect', () => process.exit(0));
});
