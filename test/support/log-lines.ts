import { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';

/** A log whose lines are added to `lines`, from `debug` on. */
export function logTo(lines: Record<string, unknown>[]): Logger {
  return pino(
    { level: 'debug' },
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        done();
      },
    }),
  );
}
