import type { Redis } from './connection.js';

export type ScriptArgument = string | number | Buffer;

export type Script<Result> = (
  redis: Redis,
  keys: readonly string[],
  args: readonly ScriptArgument[],
) => Promise<Result>;

/** Source of each script by the name of its command, for tests; `typesOf` of a number of keys comes with its first use. */
export const scriptSources = new Map<string, string>();

/**
 * A Lua script bound to its number of keys; runs by digest, sent in full once per server. Rejects with what Redis refuses;
 * see {@link luaScript} for what almost everybody wants.
 */
export function rawScript<Result>(name: string, keyCount: number, lua: string): Script<Result> {
  const command = `holdline_${name}`;
  scriptSources.set(command, lua);
  return (redis, keys, args) => {
    if (keys.length !== keyCount) throw new TypeError(`${name} takes ${keyCount} keys, not ${keys.length}`);
    if (!(command in redis)) redis.defineCommand(command, { numberOfKeys: keyCount, lua });
    const commands = redis as unknown as Record<string, (...words: ScriptArgument[]) => Promise<Result>>;
    return (commands[command] as (...words: ScriptArgument[]) => Promise<Result>).call(
      redis,
      ...keys,
      ...args,
    );
  };
}
