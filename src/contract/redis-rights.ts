import { absentKey, keyPrefix } from './keys.js';

/**
 * The rights that the user of Redis must have. docs/redis-users.acl is generated from them, the start and the doctor check
 * each, and tests compare them with the commands in use. Redis checks the right before the arguments. So each form is harmless:
 * it reads or would write only K, which never exists, or has a wrong argument, or changes nothing anyway.
 */
const rightGroups: readonly Group[] = [
  {
    reach: 'read',
    forms: [
      ...['exists K', 'get K', 'mget K', 'pttl K', 'type K', 'lindex K 0', 'llen K', 'lrange K 0 0'],
      ...['hexists K f', 'hget K f', 'hgetall K', 'hkeys K', 'hlen K', 'hmget K f', 'hstrlen K f'],
      ...['scard K', 'smembers K', 'xrange K - +', 'xread STREAMS K 0', 'xrevrange K + -'],
      ...['zcard K', 'zcount K 0 0', 'zrange K 0 0', 'zrangebyscore K 0 0', 'zrevrange K 0 0'],
      ...['zrevrangebyscore K 0 0', 'zscore K m'],
    ],
  },
  {
    reach: 'write',
    forms: [
      ...['del K', 'expire K x', 'incrby K x', 'persist K', 'pexpire K x', 'rename K K', 'set K v NX XX'],
      ...[
        'unlink K',
        'hdel K f',
        'hincrby K f x',
        'hmset K f v f',
        'hset K f v f',
        'lrem K 0 v',
        'ltrim K 0 0',
      ],
      ...['rpop K', 'rpoplpush K K', 'srem K m', 'xadd K x f v', 'xdel K 0-1', 'xtrim K MAXLEN x'],
      ...['bzpopmin K x', 'zadd K x m', 'zpopmin K', 'zrem K m', 'zremrangebyrank K 0 0'],
      ...['zremrangebyscore K 0 0'],
    ],
  },
  // These cannot be made to fail on an argument, so a read-only script tries them.
  { reach: 'write', isTriedInReadOnlyScript: true, forms: ['incr K', 'lpush K v', 'rpush K v', 'sadd K m'] },
  // C: a channel without subscribers.
  { reach: 'channel', forms: ['publish C v', 'subscribe C'] },
  {
    reach: 'none',
    forms: ['info none', 'time', 'eval return(0) 0', `evalsha ${'f'.repeat(40)} 0`],
  },
  { reach: 'none', only: 'cluster', forms: ['asking', 'client|setname é', 'cluster|info', 'cluster|slots'] },
  { reach: 'none', only: 'database', forms: ['select x'] },
  // Redis permits these to every user.
  { reach: 'none', isAlwaysPermitted: true, forms: ['hello', 'quit'] },
];

interface Group {
  /** What the command accesses: keys to read, keys to write, or channels. */
  readonly reach: 'read' | 'write' | 'channel' | 'none';
  readonly forms: readonly string[];
  /** Needed only in a cluster, or only with a database other than 0. */
  readonly only?: 'cluster' | 'database';
  /** Not checked: Redis refuses it to no user. */
  readonly isAlwaysPermitted?: boolean;
  readonly isTriedInReadOnlyScript?: boolean;
}

export interface RedisRight extends Omit<Group, 'forms'> {
  /** As in an access list: `set`, `cluster|slots`. */
  readonly name: string;
  /** The command and its arguments, in the form that changes nothing. */
  readonly words: readonly string[];
}

export const redisRights: readonly RedisRight[] = rightGroups.flatMap(({ forms, ...group }) =>
  forms.map((form) => {
    const [name = '', ...args] = form.split(' ');
    const names: Record<string, string> = { K: absentKey, C: absentKey };
    return { ...group, name, words: [...name.split('|'), ...args.map((arg) => names[arg] ?? arg)] };
  }),
);

export interface MissingRights {
  /** As in an access list. */
  readonly commands: readonly string[];
  readonly reach: ReadonlySet<RedisRight['reach']>;
}

/** One sentence that says what is missing and what to do; null: nothing is missing. */
export function missingRightsSentence({ commands: names, reach }: MissingRights): string | null {
  const access = (['read', 'write'] as const).filter((kind) => reach.has(kind));
  const parts = [
    ...(names.length > 0 ? [`use ${listed([...names].sort())}`] : []),
    ...(access.length > 0 ? [`${listed(access)} the keys ${keyPrefix}:*`] : []),
    ...(reach.has('channel') ? [`use the channels ${keyPrefix}:*`] : []),
  ];
  if (parts.length === 0) return null;
  return `the user of REDIS_URL may not ${parts.join(', nor ')}: give it the rights in docs/redis-users.acl`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
