import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { scriptSources } from '../../src/platform/redis/raw-script.js';

const product = fileURLToPath(new URL('../../src', import.meta.url));

interface Script {
  readonly name: string;
  readonly content: string;
}

export const bullmqScripts: readonly Script[] = Object.values(
  createRequire(import.meta.url)('bullmq/dist/cjs/scripts/index.js') as Readonly<Record<string, Script>>,
);

/** The name of every script that the product runs, by digest: `holdline_claimRun`, BullMQ's `moveToActive`, … */
export async function scriptNames(): Promise<ReadonlyMap<string, string>> {
  for (const file of readdirSync(product, { recursive: true, encoding: 'utf8' })) {
    const path = join(product, file);
    if (file.endsWith('.js') && /(?:lua|batched|raw|variadic)Script\(/.test(readFileSync(path, 'utf8')))
      await import(path);
  }
  const own = [...scriptSources].map(([name, source]) => [digestOf(source), name] as const);
  const bullmq = bullmqScripts.map(({ name, content }) => [digestOf(content), name] as const);
  return new Map([...own, ...bullmq]);
}

/** The digest that Redis uses in EVALSHA. */
export function digestOf(source: string): string {
  return createHash('sha1').update(source).digest('hex');
}
