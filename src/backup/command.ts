import { HoldlineError, messageOf } from '../contract/errors.js';
import { abortAtSignal } from '../platform/shutdown.js';

/** Called wrongly: the entry prints the usage and exits with 64. */
export class UsageError extends Error {}

/** There is a result, but something is missing in it (EX_DATAERR). */
export const incompleteCode = 65;

/**
 * Runs a command. SIGINT, SIGTERM and SIGHUP abort it, so that it cleans up; a later signal ends the process at once. Sets the exit
 * code: 0, done; 64, called wrongly; 78, not possible; 130, aborted. A command that did only a part sets {@link incompleteCode}.
 */
export async function runCommand(
  usage: string,
  command: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const signal = abortAtSignal();
  try {
    await command(signal);
  } catch (error) {
    process.exitCode = exitCodeOf(error, signal.aborted);
    // A bug, with its stack.
    if (process.exitCode === 1) throw error;
    const isPlainAbort = signal.aborted && !(error instanceof HoldlineError);
    process.stderr.write(`holdline: ${isPlainAbort ? 'aborted' : sentenceOf(error)}\n`);
    if (error instanceof UsageError) process.stderr.write(`${usage}\n`);
  }
}

function exitCodeOf(error: unknown, isAborted: boolean): number {
  if (error instanceof UsageError) return 64;
  if (isAborted) return 130;
  return error instanceof HoldlineError || isOfFileSystem(error) || isOfRedis(error) ? 78 : 1;
}

function sentenceOf(error: unknown): string {
  // One of the configuration may have several lines.
  if (error instanceof HoldlineError) return error.message;
  if (!isOfRedis(error)) return messageOf(error);
  return `Redis failed (${messageOf(error)}): see that it runs and has memory, then do this again`;
}

function isOfFileSystem(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}

/** ioredis throws plain errors when a command took too long, or its connection closed. */
function isOfRedis(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const isNamed = /^(ReplyError|MaxRetriesPerRequestError|ClusterAllFailedError)$/.test(error.name);
  return isNamed || /^(Command timed out|Connection is closed\.|Stream isn't writeable)/.test(error.message);
}
