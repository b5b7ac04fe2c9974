import { setMaxListeners } from 'node:events';
import { createWriteStream } from 'node:fs';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec, tap } from 'node:test/reporters';

/**
 * run.js REPORT FILE...: runs compiled test files, for people on the standard output and as TAP in REPORT. What
 * `node --test` does, but for the order: that one goes by the alphabet, and some of the longest would be left over at the
 * end with nothing beside them.
 */
const [report = '', ...files] = process.argv.slice(2);

/** More than the processors, because most tests wait most of the time: for locks to lapse, for browsers. */
const concurrency = 3;

/** Node 20 applies this to a whole file, and kills it: what one that hangs may cost. All faults take much longer. */
const timeout = process.env.HOLDLINE_FAULTS === 'all' ? 5_400_000 : 600_000;

const longestFirst = [
  ...['faults/whatsapp', 'e2e/credentials', 'faults/supervisor', 'faults/browser', 'faults/redis'],
  ...['faults/fresh-login', 'faults/shipped-timing', 'e2e/life', 'e2e/qr-page-live', 'faults/takeover'],
  ...['e2e/replicas', 'e2e/send-faults', 'e2e/access-pages', 'integration/whatsapp-web-login'],
  ...['e2e/recycling', 'faults/snapshots', 'e2e/commands', 'e2e/qr-page', 'integration/whatsapp-web-faults'],
  ...['faults/thread', 'integration/supervisor-restarts', 'integration/http-send-outage'],
];

function rank(file: string): number {
  const name = relative(import.meta.dirname, resolve(file)).replace('.test.js', '');
  const place = longestFirst.indexOf(name);
  return place === -1 ? longestFirst.length : place;
}

const end = new AbortController();
// Each file listens.
setMaxListeners(0, end.signal);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end.abort());

const tests = run({
  files: files.map((file) => resolve(file)).sort((a, b) => rank(a) - rank(b)),
  concurrency,
  timeout,
  signal: end.signal,
});
tests.on('test:fail', () => {
  process.exitCode = 1;
});
tests.compose(new spec()).pipe(process.stdout);
tests.compose(tap).pipe(createWriteStream(report));
