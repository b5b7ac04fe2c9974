import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { bullmqScripts, digestOf } from './script-names.js';

/** What this server's admin of a test calls beside the product, whose own user may not. */
const ofTheTest = ['acl', 'command', 'config', 'ping', 'script'];

/** In a branch for jobs with a deduplication id, which the product never gives. */
const unreached = ['lpos'];

/**
 * The commands that the product uses: what our scripts call, what the scripts of others call that this server was given so
 * far, on every way through them, and what it was asked for in any other way.
 */
export async function commandsUsed(server: Redis): Promise<string[]> {
  const known = new Set((await server.call('COMMAND', 'LIST')) as string[]);
  const scripts = await givenTo(server, scriptsOfOthers());
  const inScripts = [...ourSource().flatMap(callsIn), ...scripts.flatMap(wordsIn)];
  const used = [...inScripts.filter((word) => known.has(word)), ...(await commandsCounted(server))];
  const apart = [...unreached, ...ofTheTest];
  return [...new Set(used)].filter((command) => !apart.includes(command.split('|', 1)[0] ?? ''));
}

/** By the server, since it was started. */
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

/** BullMQ hands commands from function to function, too. */
function wordsIn(lua: string): string[] {
  const words = [...lua.matchAll(/redis\.call\('(\w+)'|["']([A-Z]{3,})["']/g)];
  return words.map(([, called, word]) => (called ?? word ?? '').toLowerCase());
}

async function givenTo(server: Redis, scripts: readonly string[]): Promise<string[]> {
  const isGiven = (await server.script('EXISTS', ...scripts.map(digestOf))) as number[];
  return scripts.filter((_, n) => isGiven[n] === 1);
}

function scriptsOfOthers(): string[] {
  const { RateLimiterRedis } = createRequire(import.meta.url)('rate-limiter-flexible') as {
    RateLimiterRedis: new (options: object) => { _incrTtlLuaScript: string };
  };
  const limiter = new RateLimiterRedis({ storeClient: {}, useRedisPackage: true, points: 1, duration: 1 });
  return [...bullmqScripts.map(({ content }) => content), limiter._incrTtlLuaScript];
}
