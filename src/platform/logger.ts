import { type DestinationStream, type Logger, pino } from 'pino';
import { isRedisOutage } from './data-errors.js';

export type { Logger };

/** Imported only on a terminal: all other processes, and every thread, write JSON. */
const pretty = process.stdout.isTTY ? (await import('pino-pretty')).default : null;

/**
 * Writes JSON lines to stdout, or readable lines on a terminal. Writes are synchronous: otherwise the last lines of a
 * terminated thread or an exiting process would be lost.
 */
export function createLogger(level: string, fields: Record<string, unknown> = {}): Logger {
  return pino({ level, base: fields, serializers: { err: errorFacts } }, destination());
}

function destination(): DestinationStream {
  if (pretty !== null) {
    return pretty({
      sync: true,
      colorize: true,
      singleLine: true,
      translateTime: 'SYS:HH:MM:ss.l',
      ignore: 'pid,hostname',
    });
  }
  return pino.destination({ fd: 1, sync: true });
}

/** Name, code and message of an error; the stack only of unexpected errors: without a code, and no outage of Redis. */
function errorFacts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  // The parser's message quotes the text, which may be a private message.
  if (error instanceof SyntaxError) return { name: error.name, message: 'not valid JSON' };
  const { name, message } = error;
  const code = (error as { code?: unknown }).code;
  const isExpected = code !== undefined || isRedisOutage(error);
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(isExpected ? {} : { stack: error.stack }),
  };
}
