import { HoldlineError, messageOf } from '../contract/errors.js';

/** Called wrongly: the entry prints the usage and exits with 64. */
export class UsageError extends Error {}

/**
 * Runs a command. SIGINT, SIGTERM and SIGHUP abort it, so that it cleans up. Sets the exit code: 0, done; 64, called wrongly; 78,
 * not possible; 130, aborted.
 */
export async function runCommand(
  usage: string,
  command: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stopping = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => stopping.abort());
  try {
    await command(stopping.signal);
  } catch (error) {
    process.exitCode = exitCodeOf(error, stopping.signal.aborted);
    // A bug, with its stack.
    if (process.exitCode === 1) throw error;
    const sentence = stopping.signal.aborted ? 'aborted' : messageOfAll(error);
    process.stderr.write(`holdline: ${sentence}\n`);
    if (error instanceof UsageError) process.stderr.write(`${usage}\n`);
  }
}

function exitCodeOf(error: unknown, isAborted: boolean): number {
  if (error instanceof UsageError) return 64;
  if (isAborted) return 130;
  return error instanceof HoldlineError || isFromOutside(error) ? 78 : 1;
}

/** An error of the file system or of Redis. */
function isFromOutside(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    'syscall' in error || /^(ReplyError|MaxRetriesPerRequestError)$/.test(error.name) || isTimeout(error)
  );
}

/** ioredis throws plain errors when a command took too long, or its connection closed. */
function isTimeout(error: Error): boolean {
  return /^(Command timed out|Connection is closed\.|Stream isn't writeable)/.test(error.message);
}

/** An OperatorError of the configuration may have several lines. */
function messageOfAll(error: unknown): string {
  return error instanceof HoldlineError ? error.message : messageOf(error);
}
