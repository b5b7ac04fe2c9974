import type { TestEvent } from 'node:test/reporters';

/** The last line of a tally. A file that ended before its tests did has none. */
const end = 'end';

/** What a tally tells of one test file. */
export interface Tally {
  readonly passed: number;
  /** Tests, or 1 where only a suite, a hook or the file itself has. */
  readonly failed: number;
  /** Tests that passed or failed. */
  readonly ran: number;
  readonly skipped: number;
  readonly isWhole: boolean;
}

/**
 * A reporter of node:test for one test file: a line `pass` or `fail` for each test, `skip` for one that is skipped or to be
 * done, `broken` for a suite or a file that failed. Node 22 ends with code 0 where only a hook after the tests failed; this tells.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { details, skip, todo, name, file } = event.data;
    const isSkipped = skip !== undefined || todo !== undefined;
    const hasFailed = event.type === 'test:fail';
    // A hook beside the tests fails as a test that is called like the file.
    if (details.type !== 'suite' && name !== file)
      yield isSkipped ? 'skip\n' : hasFailed ? 'fail\n' : 'pass\n';
    else if (hasFailed && !isSkipped) yield 'broken\n';
  }
  yield `${end}\n`;
}

export function readTally(text: string): Tally {
  const lines = text.split('\n');
  const count = (line: string) => lines.filter((other) => other === line).length;
  return {
    passed: count('pass'),
    failed: count('fail') || Math.min(count('broken'), 1),
    ran: count('pass') + count('fail'),
    skipped: count('skip'),
    isWhole: count(end) === 1,
  };
}
