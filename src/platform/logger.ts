import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger };

/** Most processes, and every thread, write JSON and never need it. */
const pretty = process.stdout.isTTY ? (await import('pino-pretty')).default : null;

/**
 * JSON lines on stdout; on a terminal the same facts in a form for people. Written synchronously, so that the
 * last line of a thread that is terminated or of a process that exits is not lost.
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

/** Errors are facts here: name, code and sentence. Stacks only of what nobody expected. */
function errorFacts(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  // What cannot be parsed may be anybody's message, and the parser quotes it.
  if (error instanceof SyntaxError) return { name: error.name, message: 'not valid JSON' };
  const { name, message } = error;
  const code = (error as { code?: unknown }).code;
  const isExpected = code !== undefined;
  return {
    name,
    message,
    ...(code === undefined ? {} : { code }),
    ...(isExpected ? {} : { stack: error.stack }),
  };
}
