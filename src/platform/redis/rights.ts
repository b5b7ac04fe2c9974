import type { Redis as Server } from 'ioredis';
import { messageOf } from '../../contract/errors.js';
import { absentKey } from '../../contract/keys.js';
import {
  type MissingRights,
  missingRightsSentence,
  type RedisRight,
  redisRights,
} from '../../contract/redis-rights.js';
import { connectOnce } from './server.js';
import { parseRedisUrl } from './url.js';

/** Within which Redis must answer. */
const patienceMs = 3_000;

/**
 * What is wrong with the user of this URL, as one sentence with the way out; null: nothing. Nothing is changed by it. In a
 * cluster the nodes of the URL are asked. Rejects where Redis does not answer, or cannot say so now.
 */
export async function userProblem(url: string): Promise<string | null> {
  const rights = rightsNeededAt(url);
  const asked = connectOnce(url, patienceMs).map((server) => problemAt(server, rights));
  const answers = await Promise.allSettled(asked);
  const said = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  if (said.length === 0) await asked[0];
  return said.find((problem) => problem !== null) ?? null;
}

/** Whether a reply refuses a right, within a script too, in the words of Redis 6.2 and later ones. */
export function refusesRight(reply: string): boolean {
  return /^NOPERM\b|\bACL failure in script\b|\bThe user executing the script can't\b/.test(reply);
}

function rightsNeededAt(url: string): readonly RedisRight[] {
  const address = parseRedisUrl(url);
  const isNeeded = {
    cluster: address?.kind === 'cluster',
    database: address?.db !== 0,
    never: false,
  };
  return redisRights.filter(({ only }) => only === undefined || isNeeded[only]);
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
    // A command that waits is told of the end of its connection only.
    const text = messageOf(lastError ?? error);
    if (isNoDatabase(lastError)) return noDatabase;
    if (!refusesLogin(text)) throw lastError ?? error;
    return `Redis does not let the user of REDIS_URL in (${text}): mend name and password in REDIS_URL, or the user in Redis (docs/redis-users.acl)`;
  } finally {
    server.disconnect();
  }
}

const noDatabase =
  'Redis has no database of the number in REDIS_URL: mend the number, or raise databases in redis.conf';

/** ioredis goes on all the same, in another database. */
function isNoDatabase(error: unknown): boolean {
  return /\bDB index is out of range\b/.test(messageOf(error));
}

/** A sentinel's refusal stands within the error that no sentinel was reached. */
function refusesLogin(reply: string): boolean {
  return /(?:^|: )(?:WRONGPASS|NOAUTH)\b/.test(reply);
}

async function missingAt(server: Server, rights: readonly RedisRight[]): Promise<MissingRights> {
  const refusals = [
    ...(await refusalsOf(
      server,
      rights.filter((right) => !isApart(right)),
    )),
    ...(await refusalsInScript(
      server,
      rights.filter(({ isAskedInScript }) => isAskedInScript),
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

/** What the command was answered; `''`: no error. */
interface Refusal {
  readonly right: RedisRight;
  readonly reply: string;
}

function isApart({ isAskedInScript, name }: RedisRight): boolean {
  return isAskedInScript === true || name === 'subscribe';
}

async function refusalsOf(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  const replies = (await server.pipeline(rights.map(({ words }) => [...words])).exec()) ?? [];
  return rights.map((right, n) => ({ right, reply: replyOf(replies[n]?.[0] ?? null) }));
}

/** Nothing is known where scripts are refused, and before Redis 7, which cannot forbid a script to write. */
async function refusalsInScript(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  try {
    const words = JSON.stringify(rights.map((right) => right.words));
    const replies = (await server.eval(askScript, 0, words)) as string[];
    return rights.map((right, n) => ({ right, reply: replies[n] ?? '' }));
  } catch (error) {
    replyOf(error);
    return [];
  }
}

/** A pipeline does not know its answer, which comes as what channels say. */
async function refusalOfSubscribing(server: Server, rights: readonly RedisRight[]): Promise<Refusal[]> {
  const right = rights.find(({ name }) => name === 'subscribe');
  const reply = await server.subscribe(absentKey).then(() => '', replyOf);
  return right === undefined ? [] : [{ right, reply }];
}

// ARGV commands, as JSON | returns what each is answered, '' for no error
const askScript = `#!lua flags=no-writes
local answers = {}
for n, words in ipairs(cjson.decode(ARGV[1])) do
  local answer = redis.pcall(unpack(words))
  answers[n] = type(answer) == 'table' and answer.err or ''
end
return answers`;

/** Throws what is no reply to the command itself. */
function replyOf(error: unknown): string {
  if (error === null) return '';
  if (!(error instanceof Error) || error.name !== 'ReplyError' || refusesLogin(error.message)) throw error;
  return error.message;
}
