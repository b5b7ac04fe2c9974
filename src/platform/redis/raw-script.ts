import type { StoreConnection } from './store-connection.js';

export type ScriptArgument = string | number | Buffer;

export type Script<Result> = (
  redis: StoreConnection,
  keys: readonly string[],
  args: readonly ScriptArgument[],
) => Promise<Result>;

/** The source of each script by the name of its command; for tests. */
export const scriptSources = new Map<string, string>();

/** Like {@link rawScript}, with any number of keys. */
export function variadicScript<Result>(name: string, lua: string): Script<Result> {
  const byKeyCount = new Map<number, Script<Result>>();
  scriptSources.set(`holdline_${name}`, lua);
  return (redis, keys, args) => {
    const script = byKeyCount.get(keys.length) ?? rawScript<Result>(name + keys.length, keys.length, lua);
    byKeyCount.set(keys.length, script);
    return script(redis, keys, args);
  };
}

/**
 * A Lua script with a fixed number of keys, for callers that must not use {@link luaScript}: it rejects if a key has a wrong
 * type. It runs by its digest; the source is sent once to each server. Throws a TypeError if the number of keys is wrong.
 */
export function rawScript<Result>(name: string, keyCount: number, lua: string): Script<Result> {
  const command = `holdline_${name}`;
  scriptSources.set(command, lua);
  return (redis, keys, args) => {
    if (keys.length !== keyCount) throw new TypeError(`${name} takes ${keyCount} keys, not ${keys.length}`);
    if (!(command in redis)) redis.defineCommand(command, { numberOfKeys: keyCount, lua });
    const commands = redis as unknown as Record<string, (...args: ScriptArgument[]) => Promise<Result>>;
    return (commands[command] as (...args: ScriptArgument[]) => Promise<Result>).call(
      redis,
      ...keys,
      ...args,
    );
  };
}
