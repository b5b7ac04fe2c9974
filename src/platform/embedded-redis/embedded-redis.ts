import { messageOf } from '../../contract/errors.js';
import { pause } from '../deadline.js';
import type { Logger } from '../logger.js';
import { describeExit } from './describe-exit.js';
import { adoptLeftoverServer } from './leftover-server.js';
import { prepareRedisPaths, redisUrlOf } from './paths.js';
import { endRedis, type RedisProcess, spawnRedis } from './process.js';
import {
  defaultEmbeddedRedisTiming,
  type EmbeddedRedisSettings,
  type EmbeddedRedisTiming,
} from './settings.js';
import { untilReady } from './until-ready.js';

/** A Redis that this process runs itself. Only this machine can reach it, and it is gone when `stop()` has settled. */
export interface EmbeddedRedis {
  /** `unix:///…/redis.sock`, in the form of REDIS_URL. */
  readonly url: string;
  stop(): Promise<void>;
}

export interface EmbeddedRedisOptions {
  /** Must be locked by this process (`lockDataDirectory`): two servers on one append-only file destroy it. */
  readonly dataDir: string;
  readonly log: Logger;
  /** Aborts the start only. Once started, `stop()` ends the server: its users must have finished first. */
  readonly signal?: AbortSignal;
  readonly timing?: Partial<EmbeddedRedisTiming>;
}

/**
 * Starts a `redis-server` on a Unix socket below the data directory, or adopts the one that a killed process
 * left there. Restarts it whenever it exits, until `stop()`.
 *
 * Settles when the server answers and has loaded its data. Throws an OperatorError if there is no
 * redis-server, if the append-only file is damaged, or if the directory cannot be used.
 *
 * Not guaranteed: a power cut may lose the writes of the last second (`appendfsync everysec`), and a server that
 * freezes while the product runs is not noticed.
 */
export async function startEmbeddedRedis(options: EmbeddedRedisOptions): Promise<EmbeddedRedis> {
  const settings: EmbeddedRedisSettings = {
    paths: await prepareRedisPaths(options.dataDir),
    log: options.log,
    timing: { ...defaultEmbeddedRedisTiming, ...options.timing },
  };
  const server = (await adoptLeftoverServer(settings)) ?? (await spawnRedis(settings.paths));
  try {
    await untilReady(server, settings, options.signal);
  } catch (error) {
    await endRedis(server, settings.timing.stopGraceMs);
    throw error;
  }
  const facts = { redisPid: server.pid, socket: settings.paths.socket };
  if (server.wasAdopted)
    settings.log.info(facts, 'adopted the embedded Redis that an earlier run left behind');
  else settings.log.info(facts, 'started the embedded Redis');
  return new RunningRedis(server, settings);
}

class RunningRedis implements EmbeddedRedis {
  readonly url: string;
  readonly #settings: EmbeddedRedisSettings;
  readonly #stopping = new AbortController();
  readonly #restartLoop: Promise<void>;
  #server: RedisProcess;
  #stopped: Promise<void> | undefined;

  constructor(server: RedisProcess, settings: EmbeddedRedisSettings) {
    this.url = redisUrlOf(settings.paths);
    this.#server = server;
    this.#settings = settings;
    this.#restartLoop = this.#keepRunning();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { stopGraceMs } = this.#settings.timing;
    this.#stopping.abort();
    await endRedis(this.#server, stopGraceMs);
    await this.#restartLoop;
    // A restart in progress may have replaced the server.
    await endRedis(this.#server, stopGraceMs);
  }

  /** Never gives up: the product cannot run without its Redis, and only the operator can remove the cause. */
  async #keepRunning(): Promise<void> {
    const { log, timing, paths } = this.#settings;
    const { signal } = this.#stopping;
    let delayMs = timing.backoffMinMs;
    let startedAt = performance.now();
    let failure = await this.#exitOf(this.#server);
    while (!signal.aborted) {
      if (performance.now() - startedAt >= timing.stableAfterMs) delayMs = timing.backoffMinMs;
      log.error(
        { redisPid: this.#server.pid, error: failure, delayMs },
        'the embedded Redis ended; starting it again',
      );
      await pause(delayMs, signal);
      if (signal.aborted) return;
      delayMs = Math.min(delayMs * 2, timing.backoffMaxMs);
      startedAt = performance.now();
      try {
        this.#server = await spawnRedis(paths);
        await untilReady(this.#server, this.#settings, signal);
        log.info({ redisPid: this.#server.pid }, 'the embedded Redis runs again');
        failure = await this.#exitOf(this.#server);
      } catch (error) {
        if (signal.aborted) return;
        failure = messageOf(error);
        await endRedis(this.#server, timing.stopGraceMs);
      }
    }
  }

  async #exitOf(server: RedisProcess): Promise<string> {
    return describeExit(await server.exited, server, this.#settings.paths.directory);
  }
}
