import type { Redis as Server } from 'ioredis';
import { messageOf } from '../../contract/errors.js';
import { absentKey } from '../../contract/keys.js';
import {
  type MissingRights,
  missingRightsSentence,
  type RedisRight,
  redisRights,
} from '../../contract/redis-rights.js';
import { connectOnce } from './clients.js';
import { parseRedisUrl } from './url.js';

/** How long Redis may take to answer. */
const timeoutMs = 3_000;

/**
 * One sentence: what is wrong with the user of this URL, and what to do. null: nothing is wrong. Changes nothing in Redis. In a
 * cluster it asks the nodes of the URL. Rejects if Redis does not answer, or cannot answer this now.
 */
export async function userProblem(url: string): Promise<string | null> {
  const rights = rightsNeededAt(url);
  const checks = connectOnce(url, timeoutMs).map((server) => problemAt(server, rights));
  const results = await Promise.allSettled(checks);
  const answered = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (answered.length === 0) await checks[0];
  return answered.find((problem) => problem !== null) ?? null;
}

/** Whether an error reply refuses a right, also within a script. Knows the sentences of Redis 6.2 and later. */
export function refusesRight(reply: string): boolean {
  return /^NOPERM\b|\bACL failure in script\b|\bThe user executing the script can't\b/.test(reply);
}

function rightsNeededAt(url: string): readonly RedisRight[] {
  const address = parseRedisUrl(url);
  const isNeeded = {
    cluster: address?.kind === 'cluster',
    database: address?.db !== 0,
  };
  return redisRights.filter(
    ({ only, isAlwaysPermitted }) => !isAlwaysPermitted && (only === undefined || isNeeded[only]),
  );
}

async function problemAt(server: Server, rights: readonly RedisRight[]): Promise<string | null> {
  let lastError: unknown;
  server.on('error', (error) => {
    lastError = error;
  });
  try {
    const missing = missingRightsSentence(await missingAt(server, rights));
    return missing ?? (isNoDatabase(lastError) ? noDatabase : null);
  } catch (error) {
    // A pending command rejects only with the end of its connection. The cause was emitted before.
    const text = messageOf(lastError ?? error);
    if (isNoDatabase(lastError)) return noDatabase;
    if (!refusesLogin(text)) throw lastError ?? error;
    return `Redis refuses the login of the user in REDIS_URL (${text}): correct name and password in REDIS_URL, or the user in Redis (docs/redis-users.acl)`;
  } finally {
    server.disconnect();
  }
}

const noDatabase =
  'Redis has no database with the number in REDIS_URL: correct the number, or raise databases in redis.conf';

/** ioredis only emits this error, and continues in another database. */
function isNoDatabase(error: unknown): boolean {
  return /\bDB index is out of range\b/.test(messageOf(error));
}

/** ioredis reports the refusal of a sentinel inside its error that all sentinels are unreachable. */
function refusesLogin(reply: string): boolean {
  return /(?:^|: )(?:WRONGPASS|NOAUTH)\b/.test(reply);
}

async function missingAt(server: Server, rights: readonly RedisRight[]): Promise<MissingRights> {
  const refusals = [
    ...(await refusalsInPipeline(
      server,
      rights.filter((right) => !isTriedSeparately(right)),
    )),
    ...(await refusalsInScript(
      server,
      rights.filter(({ isTriedInReadOnlyScript }) => isTriedInReadOnlyScript),
    )),
    ...(await refusalOfSubscribing(server, rights)),
  ].filter(({ reply }) => refusesRight(reply));
  const isOfCommand = ({ right, reply }: Refusal) =>
    right.reach === 'none' || /\brun (?:the '|this command)/.test(reply);
  return {
    commands: refusals.filter(isOfCommand).map(({ right }) => right.name),
    reach: new Set(refusals.filter((refusal) => !isOfCommand(refusal)).map(({ right }) => right.reach)),
  };
}

/** The error reply to a right's command; `''`: no error. */
interface Refusal {
  readonly right: RedisRight;
  readonly reply: string;
}

function isTriedSeparately({ isTriedInReadOnlyScript, name }: RedisRight): boolean {
  return isTriedInReadOnlyScript === true || name === 'subscribe';
}

async function refusalsInPipeline(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  const replies = (await server.pipeline(rights.map(({ words }) => [...words])).exec()) ?? [];
  return rights.map((right, n) => ({ right, reply: replyOf(replies[n]?.[0] ?? null) }));
}

/** Empty if scripts are refused, or if Redis is older than 7: it has no read-only scripts. */
async function refusalsInScript(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  try {
    const commands = JSON.stringify(rights.map((right) => right.words));
    const replies = (await server.eval(tryScript, 0, commands)) as string[];
    return rights.map((right, n) => ({ right, reply: replies[n] ?? '' }));
  } catch (error) {
    replyOf(error);
    return [];
  }
}

/** Not in the pipeline: SUBSCRIBE has no ordinary reply. */
async function refusalOfSubscribing(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  const right = rights.find(({ name }) => name === 'subscribe');
  const reply = await server.subscribe(absentKey).then(() => '', replyOf);
  return right === undefined ? [] : [{ right, reply }];
}

// ARGV JSON of the commands, each a list of words
// returns the error reply to each, '' for no error
const tryScript = `#!lua flags=no-writes
local replies = {}
for n, words in ipairs(cjson.decode(ARGV[1])) do
  local reply = redis.pcall(unpack(words))
  replies[n] = type(reply) == 'table' and reply.err or ''
end
return replies`;

/** The text of an error reply; `''` for no error. Throws any other error, and a refused login. */
function replyOf(error: unknown): string {
  if (error === null) return '';
  if (!(error instanceof Error) || error.name !== 'ReplyError' || refusesLogin(error.message)) throw error;
  return error.message;
}
