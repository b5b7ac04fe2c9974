import type { z } from 'zod';

/** undefined: the text is not valid JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** null: there is no text, it is not valid JSON, or not what the schema says. */
export function parseAs<T>(schema: z.ZodType<T>, text: string | null | undefined): T | null {
  return schema.safeParse(parseJson(text ?? '')).data ?? null;
}
