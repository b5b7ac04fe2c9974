import type { TestEvent } from 'node:test/reporters';

/** The last line of a tally. It is missing if the file ended before its tests did. */
const end = 'end';

/** The counts of one test file. */
export interface Tally {
  readonly passed: number;
  /** Failed tests; 1 if only a suite, a hook or the file itself failed. */
  readonly failed: number;
  /** Tests that passed or failed. */
  readonly ran: number;
  readonly skipped: number;
  readonly isWhole: boolean;
}

/**
 * A reporter of node:test for one test file. It writes `pass` or `fail` for each test, `skip` for a skipped or todo test, and
 * `broken` for a failed suite or file. It is needed because Node 22 exits with code 0 if only a hook after the tests failed.
 */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { details, skip, todo, name, file } = event.data;
    const isSkipped = skip !== undefined || todo !== undefined;
    const hasFailed = event.type === 'test:fail';
    // A failed top-level hook appears as a failed test with the name of the file.
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
