import { createReadStream } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { z } from 'zod';
import { OperatorError } from '../contract/errors.js';
import { parseJson } from '../contract/json.js';

/** Files with one JSON value, or with one on each line. Only their owner can read them. */

export function writeJson(file: string, value: unknown): Promise<void> {
  return writeFile(file, JSON.stringify(value), { mode: 0o600, flag: 'wx' });
}

export async function readJson<T>(file: string, schema: z.ZodType<T>): Promise<T> {
  return parsed(schema, await readFile(file, 'utf8').catch(() => null));
}

/** Writes the values of each batch. Returns how many they were. */
export async function writeLines(file: string, batches: AsyncIterable<readonly unknown[]>): Promise<number> {
  const handle = await open(file, 'wx', 0o600);
  let count = 0;
  try {
    for await (const values of batches) {
      count += values.length;
      if (values.length > 0)
        await handle.writeFile(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
    }
  } finally {
    await handle.close();
  }
  return count;
}

/** The values of the lines, at most `batch` at a time. */
export async function* readLines<T>(file: string, schema: z.ZodType<T>, batch = 200): AsyncGenerator<T[]> {
  let values: T[] = [];
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    values.push(parsed(schema, line));
    if (values.length < batch) continue;
    yield values;
    values = [];
  }
  if (values.length > 0) yield values;
}

function parsed<T>(schema: z.ZodType<T>, text: string | null): T {
  const { success, data } = schema.safeParse(parseJson(text ?? ''));
  if (!success) throw new UnexpectedContentError();
  return data;
}

/** The backup is complete and unchanged, but something in it is not what this version expects. */
export class UnexpectedContentError extends OperatorError {
  constructor() {
    super(
      'the backup has content that this version of Holdline does not know: restore it with the version that made it',
    );
  }
}
