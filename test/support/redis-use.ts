import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { bullmqScripts, digestOf } from './script-names.js';

/** Commands that only the test's admin connection calls. The product's user may not. */
const commandsOfTest = ['acl', 'command', 'config', 'ping', 'script'];

/** Called only for jobs with a deduplication id, which the product never sets. */
const unreached = ['lpos'];

/**
 * The commands that the product uses: those in our scripts, those in the libraries' scripts that this server has loaded
 * (every branch of them), and those that the server has counted.
 */
export async function commandsUsed(server: Redis): Promise<string[]> {
  const known = new Set((await server.call('COMMAND', 'LIST')) as string[]);
  const scripts = await loadedIn(server, libraryScripts());
  const inScripts = [...ourSource().flatMap(callsIn), ...scripts.flatMap(wordsIn)];
  const used = [...inScripts.filter((word) => known.has(word)), ...(await commandsCounted(server))];
  const apart = [...unreached, ...commandsOfTest];
  return [...new Set(used)].filter((command) => !apart.includes(command.split('|', 1)[0] ?? ''));
}

/** Commands that the server has counted since its start. */
export async function commandsCounted(server: Redis): Promise<string[]> {
  const stats = await server.info('commandstats');
  return [...stats.matchAll(/^cmdstat_([^:]+):/gm)].map(([, command = '']) => command);
}

function ourSource(): string[] {
  const names = readdirSync('src', { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join('src', name), 'utf8'));
}

function callsIn(source: string): string[] {
  return [...source.matchAll(/redis\.p?call\('(\w+)'/g)].map(([, command = '']) => command.toLowerCase());
}

/** BullMQ's scripts also pass command names as arguments, so every word in capitals counts. */
function wordsIn(lua: string): string[] {
  const words = [...lua.matchAll(/redis\.call\('(\w+)'|["']([A-Z]{3,})["']/g)];
  return words.map(([, called, word]) => (called ?? word ?? '').toLowerCase());
}

async function loadedIn(server: Redis, scripts: readonly string[]): Promise<string[]> {
  const isLoaded = (await server.script('EXISTS', ...scripts.map(digestOf))) as number[];
  return scripts.filter((_, n) => isLoaded[n] === 1);
}

function libraryScripts(): string[] {
  const { RateLimiterRedis } = createRequire(import.meta.url)('rate-limiter-flexible') as {
    RateLimiterRedis: new (options: object) => { _incrTtlLuaScript: string };
  };
  const limiter = new RateLimiterRedis({ storeClient: {}, useRedisPackage: true, points: 1, duration: 1 });
  return [...bullmqScripts.map(({ content }) => content), limiter._incrTtlLuaScript];
}
