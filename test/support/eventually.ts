import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Resolves to the first truthy result of `check`. A check that throws is tried again, so it may be an assertion. After the
 * timeout it throws; the error's cause is what the last check threw.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { timeoutMs?: number; intervalMs?: number; message?: string } = {},
): Promise<T> {
  const { timeoutMs = 20_000, intervalMs = 25, message = 'it did not come true' } = options;
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const answer = await check();
      if (answer) return answer;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    if (performance.now() >= deadline) throw new Error(`${message} within ${timeoutMs / 1000} s`, { cause });
    await sleep(intervalMs);
  }
}
