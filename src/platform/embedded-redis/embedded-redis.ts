import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { HoldlineError, messageOf, OperatorError } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import type { Logger } from '../logger.js';
import { prepareRedisPlace, type RedisPlace } from './paths.js';
import {
  adoptRedis,
  askRedis,
  endRedis,
  findRedisIn,
  isRunning,
  type RedisEnd,
  type RedisProcess,
  signalServer,
  spawnRedis,
} from './process.js';

export { RedisServerMissingError } from './process.js';

/** The Redis that the product brings along: on this machine only, and gone when `stop()` has settled. */
export interface EmbeddedRedis {
  /** `unix:///…/redis.sock`, as REDIS_URL would say it. */
  readonly url: string;
  readonly connection: { readonly path: string };
  /** Of the server that runs now: another one after a restart. */
  readonly pid: number;
  /** Whether the server of the start was one that an earlier run had left behind. */
  readonly adopted: boolean;
  stop(): Promise<void>;
}

export interface EmbeddedRedisOptions {
  /** Must be locked by this process (`lockDataDirectory`): two servers on one append-only file destroy it. */
  readonly dataDir: string;
  readonly log: Logger;
  /** Gives up the start. A server that runs is ended with `stop()` only: whoever uses it must be gone first. */
  readonly signal?: AbortSignal;
  readonly command?: string;
  readonly timing?: Partial<EmbeddedRedisTiming>;
}

export interface EmbeddedRedisTiming {
  /** How long a server left behind may be silent before it is killed. */
  readonly answerDeadlineMs: number;
  /** From the start to the first answer; loading its data may take longer than that. */
  readonly startDeadlineMs: number;
  readonly stopGraceMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** A server that ran so long starts the backoff anew. */
  readonly stableAfterMs: number;
  readonly watchIntervalMs: number;
}

const defaultTiming: EmbeddedRedisTiming = {
  answerDeadlineMs: 2_000,
  startDeadlineMs: 30_000,
  stopGraceMs: 10_000,
  backoffMinMs: 100,
  backoffMaxMs: 5_000,
  stableAfterMs: 30_000,
  watchIntervalMs: 250,
};

const pollIntervalMs = 25;

/**
 * Starts a `redis-server` on a Unix socket below the data directory, or adopts the one that a killed product
 * left there; from then on starts it again whenever it ends, for as long as the product runs.
 *
 * Settles when the server answers and has loaded its data. Throws an OperatorError in one sentence: no
 * redis-server, a damaged append-only file, a directory that cannot be used.
 *
 * Not guaranteed: that a write of the last second survives a power cut (`appendfsync everysec`), and that a
 * server which is frozen while the product runs is noticed.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const context: Context = {
    place: await prepareRedisPlace(options.dataDir),
    command: options.command ?? 'redis-server',
    log: options.log,
    timing: { ...defaultTiming, ...options.timing },
  };
  const server = (await takeOver(context)) ?? (await spawnRedis(context.command, context.place));
  try {
    await untilReady(server, context, options.signal);
  } catch (error) {
    await endRedis(server, context.timing.stopGraceMs);
    throw error;
  }
  const facts = { redisPid: server.pid, socket: context.place.socket };
  if (server.wasAdopted)
    context.log.info(facts, 'adopted the embedded Redis that an earlier run left behind');
  else context.log.info(facts, 'started the embedded Redis');
  return new RunningRedis(server, context);
}

interface Context {
  readonly place: RedisPlace;
  readonly command: string;
  readonly log: Logger;
  readonly timing: EmbeddedRedisTiming;
}

class RunningRedis implements EmbeddedRedis {
  readonly url: string;
  readonly connection: { readonly path: string };
  readonly adopted: boolean;
  readonly #context: Context;
  readonly #stopping = new AbortController();
  readonly #watched: Promise<void>;
  #server: RedisProcess;
  #stopped: Promise<void> | undefined;

  constructor(server: RedisProcess, context: Context) {
    this.url = `unix://${pathToFileURL(context.place.socket).pathname}`;
    this.connection = { path: context.place.socket };
    this.adopted = server.wasAdopted;
    this.#server = server;
    this.#context = context;
    this.#watched = this.#keepRunning();
  }

  get pid(): number {
    return this.#server.pid;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { stopGraceMs } = this.#context.timing;
    this.#stopping.abort();
    await endRedis(this.#server, stopGraceMs);
    await this.#watched;
    // A restart that was under way has made another one meanwhile.
    await endRedis(this.#server, stopGraceMs);
  }

  /** Never gives up: without its Redis the product is nothing, and only the operator can end the cause. */
  async #keepRunning(): Promise<void> {
    const { log, timing } = this.#context;
    const { signal } = this.#stopping;
    let delayMs = timing.backoffMinMs;
    let startedAt = performance.now();
    let trouble = describeEnd(await this.#server.ended, this.#server, this.#context);
    while (!signal.aborted) {
      if (performance.now() - startedAt >= timing.stableAfterMs) delayMs = timing.backoffMinMs;
      log.error(
        { redisPid: this.#server.pid, error: trouble, output: this.#server.outputTail().slice(-5), delayMs },
        'the embedded Redis ended; starting it again',
      );
      await pause(delayMs, signal);
      if (signal.aborted) return;
      delayMs = Math.min(delayMs * 2, timing.backoffMaxMs);
      startedAt = performance.now();
      try {
        this.#server = await spawnRedis(this.#context.command, this.#context.place);
        await untilReady(this.#server, this.#context, signal);
        log.info({ redisPid: this.#server.pid }, 'the embedded Redis runs again');
        trouble = describeEnd(await this.#server.ended, this.#server, this.#context);
      } catch (error) {
        if (signal.aborted) return;
        trouble = messageOf(error);
        await endRedis(this.#server, timing.stopGraceMs);
      }
    }
  }
}

/** The server of an earlier run when it still answers; the ones that do not are killed. */
async function takeOver({ place, log, timing }: Context): Promise<RedisProcess | null> {
  const deadline = performance.now() + timing.answerDeadlineMs;
  let answer = await askRedis(place.socket, timing.answerDeadlineMs);
  while (answer === null && performance.now() < deadline && (await findRedisIn(place.directory)).length > 0) {
    // It may have been killed in its own start or may be ending just now.
    await pause(pollIntervalMs);
    answer = await askRedis(place.socket, timing.answerDeadlineMs);
  }
  const adoptedPid = answer?.pid ?? null;
  if (adoptedPid !== null && !(await isRunning(adoptedPid))) {
    throw new OperatorError(
      `a Redis that cannot be seen from here (in another container?) runs in ${place.directory}: ` +
        'stop it first, or give this one its own WHATSAPP_DATA_DIR',
    );
  }
  for (const pid of await findRedisIn(place.directory)) {
    if (pid === adoptedPid) continue;
    log.warn({ redisPid: pid }, 'killing an embedded Redis of an earlier run that does not answer');
    signalServer(pid, 'SIGKILL');
    const limit = performance.now() + timing.stopGraceMs;
    while (await isRunning(pid)) {
      if (performance.now() > limit)
        throw new OperatorError(`the redis-server with the pid ${pid} does not end`);
      await pause(pollIntervalMs);
    }
  }
  return adoptedPid === null ? null : adoptRedis(adoptedPid, timing.watchIntervalMs);
}

async function untilReady(server: RedisProcess, context: Context, signal?: AbortSignal): Promise<void> {
  const { place, timing } = context;
  let end: RedisEnd | undefined;
  void server.ended.then((how) => {
    end = how;
  });
  let deadline = performance.now() + timing.startDeadlineMs;
  for (;;) {
    if (signal?.aborted) {
      throw new HoldlineError('stopped', 'the start of the embedded Redis was given up', {
        cause: signal.reason,
      });
    }
    const answer = await askRedis(place.socket, timing.answerDeadlineMs);
    if (answer?.pid === server.pid && !answer.isLoading) return;
    if (end !== undefined) throw new OperatorError(describeEnd(end, server, context));
    if (answer !== null) deadline = performance.now() + timing.startDeadlineMs;
    if (performance.now() >= deadline) {
      throw new OperatorError(
        `the embedded Redis did not answer within ${timing.startDeadlineMs / 1000} s of its start${lastWords(server)}`,
      );
    }
    await pause(pollIntervalMs, signal);
  }
}

/** One sentence for the operator; the way out where we know it. */
function describeEnd(end: RedisEnd, server: RedisProcess, { place }: Context): string {
  const damage = server.outputTail().find((line) => damagedFile.test(line));
  if (damage !== undefined) {
    const folder = join(place.directory, 'appendonlydir');
    return (
      `the append-only file of the embedded Redis is damaged (${withoutPrefix(damage)}): copy ${folder} away, ` +
      `run redis-check-aof --fix ${join(folder, 'appendonly.aof.manifest')}, and start again`
    );
  }
  if (end.signal !== null) return `the embedded Redis was ended by ${end.signal}`;
  if (end.code === null) return 'the embedded Redis ended';
  return `the embedded Redis ended with exit code ${end.code}${lastWords(server)}`;
}

const damagedFile =
  /bad file format|unexpected end of file|append only file.*redis-check-aof|error reading the RDB|wrong signature|rdb file reading failure|invalid AOF manifest|AOF .* doesn't exist/i;

function lastWords(server: RedisProcess): string {
  const line = server.outputTail().at(-1);
  return line === undefined ? '' : ` (its last words: ${withoutPrefix(line)})`;
}

/** `1234:M 23 Nov 2026 02:05:00.000 # text` */
function withoutPrefix(line: string): string {
  return line.replace(/^\d+:\w \d+ \w+ \d+ [\d:.]+ . /, '');
}
