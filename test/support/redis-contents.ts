import { Redis } from 'ioredis';
import { eventually } from './eventually.js';

/** Every value in Redis, as text: of keys of any type, with their names. */
export async function allValues(url: string): Promise<string[]> {
  const redis = new Redis(url);
  try {
    const values: string[] = [];
    for (const key of await redis.keys('*')) values.push(key, JSON.stringify(await readValue(redis, key)));
    return values;
  } finally {
    redis.disconnect();
  }
}

async function readValue(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, 0, '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    case 'none':
      return null;
    default:
      throw new Error(`a key of the type ${type}`);
  }
}

/** Every command that Redis gets from now on, each as its words. */
export async function watchCommands(url: string): Promise<{ stop(): Promise<string[][]> }> {
  const redis = new Redis(url);
  const monitor = await redis.monitor();
  const seen: string[][] = [];
  monitor.on('monitor', (_time, words: string[]) => seen.push(words));
  return {
    async stop() {
      // Commands come in order: when this one is there, all before it are.
      const mark = 'the last command';
      await redis.echo(mark);
      await eventually(() => seen.some((words) => words.includes(mark)));
      monitor.disconnect();
      redis.disconnect();
      return seen;
    },
  };
}
