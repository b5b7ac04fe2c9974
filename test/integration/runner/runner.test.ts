import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { eventually } from '../../support/eventually.js';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { childrenOf } from '../../support/processes.js';

/** The test runner, run on small test files. Each file has one line per test and notes in `ran` what has run. */
const runner = join(import.meta.dirname, '../../run.js');
const head = `
import { after, describe, it, test } from 'node:test';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
const note = (name) => appendFileSync('ran', name + '\\n');
const ran = () => (existsSync('ran') ? readFileSync('ran', 'utf8') : '');
const until = (is) => new Promise((resolve) => {
  const poll = setInterval(() => { if (is()) { clearInterval(poll); resolve(); } }, 10);
});
`;
const passing = `test('well', () => note('well'));`;
const failing = `test('well', () => {}); test('broken', () => { note('broken'); throw new Error('it is broken'); });`;
const skipping = `test.skip('later', () => {}); test.todo('some day'); describe('a suite', () => { it('has one', () => {}); });`;
const hanging = `test('well', () => {}); test('stuck', () => { note('stuck'); return until(() => false); });`;

/** Runs two files at a time, and one more whose name has `waits`. */
const waitingRunner = join(scratchDir(), 'waiting-runner.mjs');
writeFileSync(
  waitingRunner,
  `import { runAll } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../runner/run-all.js')))};
   const runs = await runAll(process.argv.slice(4), {
     timeoutMs: 60_000,
     signal: new AbortController().signal,
     concurrency: 2,
     mostlyWaits: (file) => file.includes('waits'),
     print: () => {},
   });
   const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
   console.log([sum(runs.map(({ passed }) => passed)), 'passed,', sum(runs.map(({ failed }) => failed)), 'failed'].join(' '));`,
);

after(assertNothingLeft);

interface Result {
  readonly code: number | null;
  readonly output: string;
  /** The last two lines. */
  readonly totals: readonly string[];
  readonly flakyFile: string | null;
  /** Notes of the test files, in order. */
  readonly ran: readonly string[];
}

class Play {
  readonly dir = scratchDir();
  readonly child: ChildProcess;
  readonly #output: Promise<string>;

  constructor(
    files: Record<string, string>,
    options: readonly string[] = [],
    environment: Record<string, string> = {},
    program = runner,
  ) {
    const paths = Object.entries(files).map(([name, code]) => {
      const path = join(this.dir, `${name}.mjs`);
      writeFileSync(path, head + code);
      return path;
    });
    const child = spawn(process.execPath, [program, '--results', this.dir, ...options, ...paths], {
      cwd: this.dir,
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.#output = Promise.all([text(child.stderr), text(child.stdout)]).then((said) => said.join(''));
  }

  notes(): string[] {
    const path = join(this.dir, 'ran');
    return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  }

  async result(): Promise<Result> {
    const [[code], output] = await Promise.all([
      once(this.child, 'exit') as Promise<[number | null]>,
      this.#output,
    ]);
    const flaky = join(this.dir, 'flaky.txt');
    return {
      code,
      output,
      totals: output.trimEnd().split('\n').slice(-2),
      flakyFile: existsSync(flaky) ? readFileSync(flaky, 'utf8') : null,
      ran: this.notes(),
    };
  }
}

const play = (...args: ConstructorParameters<typeof Play>) => new Play(...args).result();

test('passing tests are counted, and nothing is flaky', async () => {
  const { code, totals, output, flakyFile } = await play({ passing });
  assert.deepEqual([code, ...totals], [0, 'flaky: 0', '1 passed, 0 failed']);
  assert.equal(flakyFile, null);
  assert.doesNotMatch(output, /skipped/);
});

test('skipped tests are reported for the file and for the run', async () => {
  const { code, totals, output } = await play({ passing, skipping });
  assert.deepEqual([code, ...totals], [0, 'flaky: 0', '2 passed, 0 failed']);
  assert.match(output, /skipping\.mjs: 1 passed, 0 failed, 2 skipped in /);
  assert.match(output, /\nskipped: 2\nflaky: 0\n/);
});

test('totals and TAP lines that a test prints are not taken for results', async () => {
  const said = [
    'TAP version 13',
    'not ok 1 - it',
    '# fail 1',
    'ℹ fail 1',
    'flaky: 3 x',
    '5 passed, 2 failed',
  ];
  const { code, totals } = await play({
    prints: `test('prints', () => process.stdout.write(${JSON.stringify(`${said.join('\n')}\n`)}));`,
  });
  assert.deepEqual([code, ...totals], [0, 'flaky: 0', '1 passed, 0 failed']);
});

test('a file that fails beside others and passes alone is reported as flaky, and the run passes', async () => {
  const { code, totals, output, flakyFile, ran } = await play({
    company: `test('company', async () => { await until(() => ran().includes('first')); note('company'); });`,
    flaky: `test('well', () => {});
      test('shy', () => { if (ran().includes('company')) return note('second'); note('first'); throw new Error('not alone'); });`,
  });
  assert.deepEqual(ran, ['first', 'company', 'second']);
  assert.equal(code, 0);
  assert.match(totals[0] ?? '', /^flaky: 1 \S+flaky\.mjs$/);
  assert.equal(totals[1], '3 passed, 0 failed', 'its tests are counted once, by its last run');
  assert.match(output, /flaky\.mjs failed, and is run once more, alone/);
  for (const report of [output, flakyFile ?? '']) {
    assert.match(report, /first: 1 passed, 1 failed/);
    assert.match(report, /once more, alone: 2 passed, 0 failed/);
    assert.match(report, /Error: not alone/);
  }
});

test('a file that mostly waits runs beside the others, and only one of them does', async () => {
  const run = new Play(
    Object.fromEntries(
      ['a', 'b', 'waits-1', 'waits-2', 'c'].map((name) => [
        name,
        `test('blocks', () => { note('${name}'); return until(() => existsSync('go')); });`,
      ]),
    ),
    [],
    {},
    waitingRunner,
  );
  await eventually(() => run.notes().length === 3, { timeoutMs: 30_000 });
  assert.deepEqual(run.notes().sort(), ['a', 'b', 'waits-1'], 'two, and one that mostly waits');
  writeFileSync(join(run.dir, 'go'), '');
  const { code, totals, ran } = await run.result();
  assert.deepEqual([code, totals.at(-1)], [0, '5 passed, 0 failed']);
  assert.deepEqual([...ran].sort(), ['a', 'b', 'c', 'waits-1', 'waits-2'], 'each once');
});

test('a file that fails twice is a failure', async () => {
  const { code, totals, output, flakyFile, ran } = await play({ failing, passing });
  assert.deepEqual([code, ...totals], [1, 'flaky: 0', '2 passed, 1 failed']);
  assert.deepEqual(ran.filter((name) => name === 'broken').length, 2);
  assert.equal(flakyFile, null);
  assert.match(output.slice(output.lastIndexOf('✖ ')), /Error: it is broken/, 'its output is at the end');
});

test('a file that passes the second time with fewer tests is a failure', async () => {
  const { code, totals, output, flakyFile } = await play({
    shorter: `const isAgain = ran().includes('first');
      test('well', () => note('first'));
      test('broken', { skip: isAgain }, () => { throw new Error('it is broken'); });`,
  });
  assert.deepEqual([code, ...totals], [1, 'flaky: 0', '1 passed, 1 failed'], output);
  assert.match(output, /1 passed, 1 failed, 1 skipped in \S+ s: once more, alone, it ran 1 tests of 2\n/);
  assert.match(output.slice(output.lastIndexOf('✖ ')), /Error: it is broken/);
  assert.equal(flakyFile, null);
});

test('a file that fails outside its tests and passes alone is flaky', async () => {
  const { code, totals } = await play({
    untidy: `test('well', () => {});
      after(() => { if (ran() === '') { note('first'); throw new Error('left over'); } });`,
  });
  assert.deepEqual([code, totals[1]], [0, '1 passed, 0 failed']);
  assert.match(totals[0] ?? '', /^flaky: 1 /);
});

test('a file that cannot be run is a failure, and the others go on', async () => {
  const nowhere = join(scratchDir(), 'nowhere');
  const { code, totals, output } = await play({ a: passing, b: passing }, [], { TMPDIR: nowhere });
  assert.deepEqual([code, ...totals], [1, 'flaky: 0', '0 passed, 2 failed'], output);
  assert.match(output, /b\.mjs: 0 passed, 1 failed in \S+ s: it could not be run: .*ENOENT/);
});

test('an option that is not a number is refused', async () => {
  for (const option of ['file-timeout', 'seconds-left']) {
    for (const value of ['soon', '']) {
      const { code, output, ran } = await play({ passing }, [`--${option}=${value}`]);
      assert.deepEqual([code, ran], [64, []]);
      assert.equal(output, `holdline: --${option} must be a number of seconds, not '${value}'\n`);
    }
  }
});

test('a hanging file is ended, counts as failed and is run once more', async () => {
  const hangingOnce = hanging.replace('until(() => false)', `until(() => ran().includes('stuck\\nstuck'))`);
  // The timeout includes the start of Node.
  const options = ['--file-timeout', '10'];
  const twice = await play({ hanging }, options);
  const flaky = await play({ hangingOnce }, options);
  assert.deepEqual([twice.code, ...twice.totals], [1, 'flaky: 0', '1 passed, 1 failed']);
  assert.deepEqual([flaky.code, flaky.totals[1]], [0, '2 passed, 0 failed']);
  for (const { output, ran } of [twice, flaky]) {
    assert.match(output, /1 passed, 1 failed in \S+ s: it was ended after 10 s/);
    assert.deepEqual(ran, ['stuck', 'stuck']);
  }
  assert.match(flaky.flakyFile ?? '', /it was ended after 10 s/);
});

test('a file that ends before its tests do is a failure with any exit code', async () => {
  for (const [code, total, why] of [
    [`test('well', () => {}); ]`, '0 passed, 1 failed', 'exit code 1'],
    [
      `test('leaves', () => process.exit(0)); test('never', () => {});`,
      '0 passed, 1 failed',
      'it ended before its tests did',
    ],
    [
      `test('killed', () => process.kill(process.pid, 'SIGKILL'));`,
      '0 passed, 1 failed',
      'it was ended by SIGKILL',
    ],
    ['', '0 passed, 1 failed', 'it ended before its tests did'],
  ] as const) {
    const result = await play({ ends: code });
    assert.deepEqual([result.code, ...result.totals], [1, 'flaky: 0', total], result.output);
    assert.ok(result.output.includes(`ends.mjs: ${total} in `), result.output);
    assert.ok(result.output.includes(` s: ${why}\n`), result.output);
  }
});

test('a failure after the tests is a failure of the file', async () => {
  const broken = `after(() => { throw new Error('left over'); });`;
  for (const code of [
    `describe('a suite', () => { it('well', () => {}); ${broken} });`,
    `test('well', () => {}); ${broken}`,
  ]) {
    const { code: exitCode, totals, output } = await play({ code });
    assert.deepEqual([exitCode, ...totals], [1, 'flaky: 0', '1 passed, 1 failed'], output);
    assert.match(output, /Error: left over/);
  }
});

test('no file is run once more when more than five fail', async () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  const six = await play({ ...Object.fromEntries(names.map((name) => [name, failing])), passing });
  assert.deepEqual([six.code, ...six.totals], [1, 'flaky: 0', '7 passed, 6 failed']);
  assert.equal(six.ran.filter((name) => name === 'broken').length, 6);
  assert.match(six.output, /6 test files failed: more than 5 are not run once more/);

  const five = await play(Object.fromEntries(names.slice(1).map((name) => [name, failing])));
  assert.equal(five.totals[1], '5 passed, 5 failed');
  assert.equal(five.ran.filter((name) => name === 'broken').length, 10);
});

test('a file is not run once more when no time is left, and fails', async () => {
  const { code, totals, output, ran } = await play({ failing }, ['--seconds-left', '0']);
  assert.deepEqual([code, ...totals], [1, 'flaky: 0', '1 passed, 1 failed']);
  assert.deepEqual(ran, ['broken']);
  assert.match(output, /no time is left to run \S+failing\.mjs once more/);
});

test('a flaky file of an earlier run is not reported again', async () => {
  const dir = scratchDir();
  writeFileSync(join(dir, 'flaky.txt'), 'of yesterday');
  const { code } = await play({ passing }, ['--results', dir]);
  assert.equal(code, 0);
  assert.equal(existsSync(join(dir, 'flaky.txt')), false);
});

test('a signal ends the run at once as a failure, and starts no other file', async () => {
  const stubborn = `process.on('SIGTERM', () => {}); ${hanging}`;
  for (const [signal, b] of [
    ['SIGINT', hanging],
    ['SIGTERM', stubborn],
  ] as const) {
    const run = new Play({ a: hanging, b, c: hanging, later: passing });
    await eventually(() => run.notes().length === 3);
    run.child.kill(signal);
    const { code, totals, ran } = await run.result();
    assert.deepEqual([code, totals[0]], [1, 'flaky: 0']);
    // A test that has just passed may not be counted yet.
    assert.match(totals[1] ?? '', /^[0-3] passed, 3 failed$/);
    assert.deepEqual(ran, ['stuck', 'stuck', 'stuck']);
  }
});

test('a second signal changes nothing', async () => {
  const stubborn = `process.on('SIGTERM', () => {}); ${hanging}`;
  const run = new Play({ hanging, stubborn });
  await eventually(() => run.notes().length === 2);
  run.child.kill('SIGTERM');
  await eventually(() => childrenOf(run.child.pid ?? 0).length === 1);
  run.child.kill('SIGTERM');
  const { code, totals } = await run.result();
  assert.deepEqual([code, totals[0]], [1, 'flaky: 0']);
  assert.match(totals[1] ?? '', /^[0-2] passed, 2 failed$/);
});

test('a quick run with no quick file is a failure', async () => {
  const { code, totals } = await play({ passing }, ['--quick']);
  assert.deepEqual([code, totals.at(-1)], [1, '0 passed, 1 failed']);
});
