import { absentKey, keyPrefix } from './keys.js';

/**
 * What the user of Redis must be allowed: docs/redis-users.acl is made from it, the start and the doctor ask for each, and
 * tests compare it with what is used. Redis looks at the rights before it looks at the arguments, so each command stands
 * here in a form that changes nothing: on the key K, which is never written, or with an argument that is refused.
 */
const commands: readonly Group[] = [
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
  // They refuse no argument: they are asked for in a script that may not write.
  { reach: 'write', isAskedInScript: true, forms: ['incr K', 'lpush K v', 'rpush K v', 'sadd K m'] },
  // C: a channel on which nobody listens.
  { reach: 'channel', forms: ['publish C v', 'subscribe C'] },
  {
    reach: 'none',
    forms: ['info none', 'time', 'eval return(0) 0', `evalsha ${'f'.repeat(40)} 0`, 'client|setname é'],
  },
  { reach: 'none', only: 'cluster', forms: ['asking', 'cluster|info', 'cluster|slots'] },
  { reach: 'none', only: 'database', forms: ['select x'] },
  // Redis forbids them to nobody.
  { reach: 'none', only: 'never', forms: ['hello', 'quit'] },
];

interface Group {
  /** What is named beside the command: keys to read, keys to write, or channels. */
  readonly reach: 'read' | 'write' | 'channel' | 'none';
  readonly forms: readonly string[];
  /** Needed in a cluster, or with a database other than 0; `never`: not to be asked for. */
  readonly only?: 'cluster' | 'database' | 'never';
  readonly isAskedInScript?: boolean;
}

export interface RedisRight extends Omit<Group, 'forms'> {
  /** As an access list has it: `set`, `cluster|slots`. */
  readonly name: string;
  /** The words of the form that changes nothing. */
  readonly words: readonly string[];
}

export const redisRights: readonly RedisRight[] = commands.flatMap(({ forms, ...group }) =>
  forms.map((form) => {
    const [name = '', ...args] = form.split(' ');
    const names: Record<string, string> = { K: absentKey, C: absentKey };
    return { ...group, name, words: [...name.split('|'), ...args.map((arg) => names[arg] ?? arg)] };
  }),
);

/** The text of docs/redis-users.acl. */
export function accessList(): string {
  const given = redisRights.map(({ name }) => `+${name}`).sort();
  const reach = `resetkeys ~${keyPrefix}:* resetchannels &${keyPrefix}:*`;
  return `user default off\nuser holdline on >change-me ${reach} -@all ${given.join(' ')}\n`;
}

export interface MissingRights {
  /** As an access list names them. */
  readonly commands: readonly string[];
  readonly reach: ReadonlySet<RedisRight['reach']>;
}

/** What is missing and the way out, as one sentence; null: nothing. */
export function missingSentence({ commands: names, reach }: MissingRights): string | null {
  const uses = (['read', 'write'] as const).filter((use) => reach.has(use));
  const parts = [
    ...(names.length > 0 ? [`use ${listed([...names].sort())}`] : []),
    ...(uses.length > 0 ? [`${listed(uses)} the keys ${keyPrefix}:*`] : []),
    ...(reach.has('channel') ? [`use the channels ${keyPrefix}:*`] : []),
  ];
  if (parts.length === 0) return null;
  return `the user of REDIS_URL may not ${parts.join(', nor ')}: give it the rights in docs/redis-users.acl`;
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
