import { luaScript } from './lua-script.js';
import { type Script, type ScriptArgument, variadicScript } from './raw-script.js';
import type { StoreConnection } from './store-connection.js';

/** Redis runs nothing else during a script, so one of them does not run for more items than this. */
const maxItems = 64;

interface Item<Result> {
  readonly keys: readonly string[];
  readonly args: readonly ScriptArgument[];
  readonly resolve: (result: Result | Promise<Result>) => void;
}

/**
 * Like {@link luaScript}, but calls that are made in one turn of the event loop are one command. Each call has its own `KEYS` and
 * `ARGV`, and its own result: if one fails, that one alone runs again, by itself, and rejects if it fails again. `argCount`:
 * how many arguments each call has.
 */
export function batchedScript<Result>(
  name: string,
  keyCount: number,
  argCount: number,
  lua: string,
): Script<Result> {
  const single = luaScript<Result>(name, keyCount, lua);
  // Returns for each call {1, its result}, or {0} if it failed.
  const batch = variadicScript<[ran: number, result: Result][]>(
    `${name}Batch`,
    `local function each(KEYS, ARGV)
       ${lua}
     end
     local results = {}
     for i = 0, #KEYS / ${keyCount} - 1 do
       local keys, args = {}, {}
       for k = 1, ${keyCount} do keys[k] = KEYS[i * ${keyCount} + k] end
       for a = 1, ${argCount} do args[a] = ARGV[i * ${argCount} + a] end
       local ran, result = pcall(each, keys, args)
       results[i + 1] = ran and {1, result} or {0}
     end
     return results`,
  );

  async function send(redis: StoreConnection, items: readonly Item<Result>[]): Promise<void> {
    const alone = ({ keys, args }: Item<Result>) => single(redis, keys, args);
    const [first, ...others] = items;
    if (first === undefined) return;
    if (others.length === 0) return first.resolve(alone(first));
    try {
      const results = await batch(
        redis,
        items.flatMap(({ keys }) => keys),
        items.flatMap(({ args }) => args),
      );
      const failed = items.filter((item, i) => {
        const [ran, result] = results[i] ?? [0];
        if (ran === 1) item.resolve(result as Result);
        return ran !== 1;
      });
      // If Redis refuses all for now, one more attempt is enough to learn why.
      if (failed.length === items.length) failed.shift()?.resolve(await alone(first));
      for (const item of failed) item.resolve(alone(item));
    } catch (error) {
      for (const { resolve } of items) resolve(Promise.reject(error));
    }
  }

  const waiting = new WeakMap<StoreConnection, Item<Result>[]>();
  return (redis, keys, args) => {
    if (keys.length !== keyCount) throw new TypeError(`${name} takes ${keyCount} keys, not ${keys.length}`);
    if (args.length !== argCount)
      throw new TypeError(`${name} takes ${argCount} arguments, not ${args.length}`);
    return new Promise((resolve) => {
      const items = waiting.get(redis);
      if (items !== undefined) return void items.push({ keys, args, resolve });
      const begun = [{ keys, args, resolve }];
      waiting.set(redis, begun);
      queueMicrotask(() => {
        waiting.delete(redis);
        for (let i = 0; i < begun.length; i += maxItems) void send(redis, begun.slice(i, i + maxItems));
      });
    });
  };
}
