import { HoldlineError, OperatorError } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import { describeExit, lastLineOf } from './describe-exit.js';
import type { RedisExit, RedisProcess } from './process.js';
import { readServerInfo } from './server-info.js';
import { type EmbeddedRedisSettings, pollIntervalMs } from './settings.js';

/**
 * Resolves when the server answers and has loaded its data. Throws an {@link OperatorError} if it exits, or does not
 * answer in time; loading the data has no deadline. Throws a {@link HoldlineError} `stopped` when `signal` aborts.
 */
export async function untilReady(
  server: RedisProcess,
  { paths, timing }: EmbeddedRedisSettings,
  signal?: AbortSignal,
): Promise<void> {
  let exit: RedisExit | undefined;
  void server.exited.then((how) => {
    exit = how;
  });
  let deadline = performance.now() + timing.startDeadlineMs;
  for (;;) {
    if (signal?.aborted) {
      throw new HoldlineError('stopped', 'the start of the embedded Redis was aborted', {
        cause: signal.reason,
      });
    }
    const info = await readServerInfo(paths.socket, timing.answerDeadlineMs);
    if (info?.pid === server.pid && !info.isLoading) return;
    if (exit !== undefined) throw new OperatorError(describeExit(exit, server, paths.directory));
    if (info !== null) deadline = performance.now() + timing.startDeadlineMs;
    if (performance.now() >= deadline) {
      throw new OperatorError(
        `the embedded Redis did not answer within ${timing.startDeadlineMs / 1000} s of its start${lastLineOf(server)}`,
      );
    }
    await pause(pollIntervalMs, signal);
  }
}
