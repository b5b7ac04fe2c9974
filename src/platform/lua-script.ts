import type { Redis } from './redis.js';

type Argument = string | number | Buffer;

/**
 * A Lua script bound to its number of keys; runs by digest, sent in full once per server.
 * Every change of more than one key in this product is one of these.
 */
export function luaScript<Result>(name: string, keyCount: number, lua: string) {
  const command = `holdline_${name}`;
  return (redis: Redis, keys: readonly string[], args: readonly Argument[]): Promise<Result> => {
    if (keys.length !== keyCount) throw new TypeError(`${name} takes ${keyCount} keys, not ${keys.length}`);
    if (!(command in redis)) redis.defineCommand(command, { numberOfKeys: keyCount, lua });
    const commands = redis as unknown as Record<string, (...words: Argument[]) => Promise<Result>>;
    return (commands[command] as (...words: Argument[]) => Promise<Result>).call(redis, ...keys, ...args);
  };
}
