/**
 * The address of Redis. `REDIS_URL` holds all of it in one text, which can be passed to every part and thread:
 *
 *     redis://user:password@host:6379/0             rediss:// with TLS
 *     unix:///path/to/redis.sock
 *     redis+sentinel://user:password@host:26379,host:26379/mymaster/0
 *     redis+cluster://user:password@host:6379,host:6379
 *
 * With TLS, `?ca=FILE&cert=FILE&key=FILE` name PEM files. `sentinel_username` and `sentinel_password` are for sentinels that
 * have a separate login.
 */
export interface RedisAddress {
  readonly kind: 'server' | 'sentinel' | 'cluster';
  /** The path of a Unix socket; then there are no nodes. */
  readonly path: string | null;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  /** The name of the master at the sentinels. */
  readonly masterName: string | null;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly db: number;
  readonly hasTls: boolean;
  readonly tlsFiles: Readonly<Partial<Record<'ca' | 'cert' | 'key', string>>>;
  readonly sentinelUsername: string | undefined;
  readonly sentinelPassword: string | undefined;
}

const form =
  /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/?#]*)(?::([^@/?#]*))?@)?([^@/?#]+)(?:\/([^?#]*))?(?:\?([^#]*))?$/;
const queryNames = ['ca', 'cert', 'key', 'sentinel_username', 'sentinel_password'];

/** null: the text has none of the forms. Never throws: an error could carry the password. */
export function parseRedisUrl(text: string): RedisAddress | null {
  try {
    return text.startsWith('unix:') ? socketAddress(text) : networkAddress(text);
  } catch {
    return null;
  }
}

function socketAddress(text: string): RedisAddress | null {
  const { pathname, username, password, search } = new URL(text);
  if (pathname.length < 2 || search !== '') return null;
  return {
    ...{ kind: 'server', path: decodeURIComponent(pathname), nodes: [], masterName: null, db: 0 },
    ...{ hasTls: false, tlsFiles: {}, sentinelUsername: undefined, sentinelPassword: undefined },
    username: decoded(username),
    password: decoded(password),
  };
}

function networkAddress(text: string): RedisAddress | null {
  const match = form.exec(text);
  if (match === null) return null;
  const [, scheme, kind = 'server', username, password, hosts = '', path = '', search = ''] = match;
  const nodes = hosts.split(',').map((host) => parseNode(host, kind === 'sentinel' ? 26_379 : 6_379));
  const place = parsePath(kind as RedisAddress['kind'], path);
  const query = new URLSearchParams(search);
  const tlsFiles = Object.fromEntries(
    (['ca', 'cert', 'key'] as const).flatMap((name) => {
      const file = query.get(name);
      return file ? [[name, file]] : [];
    }),
  );
  const hasTls = scheme === 'rediss';
  const isValid =
    nodes.every((node) => node !== null) &&
    place !== null &&
    (kind !== 'server' || nodes.length === 1) &&
    [...query.keys()].every((name) => queryNames.includes(name)) &&
    (hasTls || Object.keys(tlsFiles).length === 0) &&
    (kind === 'sentinel' || !(query.has('sentinel_username') || query.has('sentinel_password'))) &&
    'cert' in tlsFiles === 'key' in tlsFiles;
  if (!isValid) return null;
  return {
    ...{ kind: kind as RedisAddress['kind'], path: null, nodes: nodes.filter((node) => node !== null) },
    ...{ ...place, hasTls, tlsFiles },
    username: decoded(username),
    password: decoded(password),
    sentinelUsername: query.get('sentinel_username') ?? undefined,
    sentinelPassword: query.get('sentinel_password') ?? undefined,
  };
}

function parseNode(text: string, fallbackPort: number): { host: string; port: number } | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text);
  const port = Number(match?.[3] ?? fallbackPort);
  if (match === null || port < 1 || port > 65_535) return null;
  return { host: match[1] ?? match[2] ?? '', port };
}

/** `/db`, `/mymaster` or `/mymaster/db`; a cluster has database 0 only. */
function parsePath(kind: RedisAddress['kind'], path: string): Pick<RedisAddress, 'masterName' | 'db'> | null {
  const match = (kind === 'sentinel' ? /^([\w.-]+)(?:\/(\d{1,4}))?\/?$/ : /^()(\d{1,4})?$/).exec(path);
  if (match === null) return null;
  const db = Number(match[2] ?? 0);
  if (kind === 'cluster' && db !== 0) return null;
  return { masterName: match[1] || null, db };
}

function decoded(text: string | undefined): string | undefined {
  return text ? decodeURIComponent(text) : undefined;
}
