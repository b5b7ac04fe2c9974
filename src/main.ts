import { once } from 'node:events';
import { readArguments, runCommand } from './platform/command-line.js';
import { requireBrowser } from './platform/config/browser-executable.js';
import { type Config, loadConfig } from './platform/config/config.js';
import { usedCredentialsKeys } from './platform/credentials-keys.js';
import { lockDataDirectory } from './platform/data-directory.js';
import { startEmbeddedRedis } from './platform/embedded-redis/embedded-redis.js';
import { requireUsableAddress } from './platform/listen.js';
import { createLogger, type Logger } from './platform/logger.js';
import { watchLoopDelay } from './platform/loop-delay.js';
import { networkUrls } from './platform/own-urls.js';
import { connectPatiently, disconnect, type Redis } from './platform/redis/connection.js';
import { watchRedisPreflight } from './platform/redis/preflight.js';
import { endWhenUnhandled, runUntilSignalled, type Stoppable } from './platform/shutdown.js';
import { HttpProcess } from './supervisor/http-process.js';
import { startProbeServer } from './supervisor/probe/probe-server.js';
import { requireWatchdog } from './supervisor/process-watchdog.js';
import { Supervisor } from './supervisor/supervisor.js';

const usage = 'npm start [-- all|http|supervisor]';

/** The entry of the product: `main.js [all|http|supervisor]`. */
async function main(): Promise<void> {
  const { positionals } = readArguments(usage, {}, 1);
  const config = loadConfig(positionals[0] ?? 'all', process.env);
  const log = createLogger(config.logLevel);
  for (const warning of config.warnings) log.warn(warning);
  endWhenUnhandled(log);
  watchLoopDelay(log);
  await runUntilSignalled({
    log,
    deadlineMs: config.timing.shutdownMs,
    start: (parts, stopping) => start(config, log, parts, stopping),
  });
}

/** Starts the parts of this role and adds each to `parts`, which are stopped in reverse order. */
async function start(config: Config, log: Logger, parts: Stoppable[], stopping: AbortSignal): Promise<void> {
  if (config.role !== 'supervisor') await requireUsableAddress(config);
  const http = config.role === 'all' ? startHttpProcess(config, log) : null;
  const redisUrl = config.redisUrl ?? (await startLocalRedis(config, log, parts, stopping));
  const supervisor = config.role === 'http' ? null : await createSupervisor(config, redisUrl, log, parts);
  const redis = supervisor?.redis ?? openRedis(config, redisUrl, log, parts);
  const preflight = watchRedisPreflight({ redisUrl, redis, log });
  parts.push({ stop: async () => preflight.stop() });
  let supervised: Promise<void> = preflight.verdict;
  /** Settles as `started` does, or resolves when the process is asked to stop. */
  const unlessStopping = async (started: Promise<void>) => {
    if (!stopping.aborted) await Promise.race([started, once(stopping, 'abort')]);
  };
  if (supervisor !== null) {
    if (http !== null) supervisor.metrics.followHttp(http);
    supervised = preflight.verdict.then(() => supervisor.start());
    // It is awaited below. Until then a rejection must not count as unhandled.
    supervised.catch(() => undefined);
    // With the embedded Redis, HTTP waits for the supervisor, so that it does not serve the state of a killed process. An external
    // Redis may be unreachable, so there HTTP does not wait.
    if (config.redisUrl === null) await unlessStopping(supervised);
  }
  if (config.role !== 'supervisor') {
    const url = http
      ? await serveInChildProcess(http, redisUrl, parts)
      : await serveInThisProcess(config, redisUrl, log, parts);
    log.info({ url }, howToBegin(config, url));
  }
  // Redis may come up much later and fail the preflight then. A supervisor that cannot start ends the process too.
  await unlessStopping(supervised);
}

function howToBegin(config: Config, url: string): string {
  const base = config.publicUrl?.replace(/\/+$/, '') ?? url;
  const others = networkUrls(config, Number(new URL(url).port)).map((other) => `${other}/qr`);
  const elsewhere = others.length > 0 ? ` (on other machines: ${others.join(' or ')})` : '';
  const key = config.apiKeys.length > 0 ? ' -H "Authorization: Bearer $KEY"' : '';
  return `open ${base}/qr${elsewhere}, or start the session with: curl -X POST ${base}/api/auth/start${key}`;
}

/** Starts before the other parts, so that the process loads its modules while they start. */
function startHttpProcess({ timing }: Config, log: Logger): HttpProcess {
  const entry = new URL('./http/main.js', import.meta.url);
  return new HttpProcess({ entry, environment: process.env, timing, log });
}

/** In the role `http` no lease depends on this event loop: HTTP needs no process of its own. */
async function serveInThisProcess(
  config: Config,
  redisUrl: string,
  log: Logger,
  parts: Stoppable[],
): Promise<string> {
  const { startHttp } = await import('./http/server.js');
  const http = await startHttp({ config, redisUrl, log });
  parts.push({ stop: () => http.close() });
  return http.url;
}

/** In the role `all` HTTP has a process of its own. */
async function serveInChildProcess(http: HttpProcess, redisUrl: string, parts: Stoppable[]): Promise<string> {
  parts.push({ stop: (force) => http.stop(force) });
  return http.serve(redisUrl);
}

async function startLocalRedis(
  config: Config,
  log: Logger,
  parts: Stoppable[],
  stopping: AbortSignal,
): Promise<string> {
  const lock = await lockDataDirectory(config.dataDir);
  parts.push({ stop: () => lock.release() });
  const redis = await startEmbeddedRedis({ dataDir: config.dataDir, log, signal: stopping });
  parts.push({ stop: () => redis.stop() });
  return redis.url;
}

/** A connection that only checks Redis: those of the HTTP server give up too soon for that. */
function openRedis(config: Config, redisUrl: string, log: Logger, parts: Stoppable[]): Redis {
  // The HTTP server logs outages.
  const redis = connectPatiently(redisUrl, config.timing, log.child({}, { level: 'error' }));
  parts.push({ stop: () => disconnect(redis) });
  return redis;
}

async function createSupervisor(
  config: Config,
  redisUrl: string,
  log: Logger,
  parts: Stoppable[],
): Promise<Supervisor> {
  requireBrowser(config);
  await requireWatchdog();
  const supervisor = new Supervisor({
    config: { ...config, credentialsKeys: await usedCredentialsKeys(config) },
    redisUrl,
    log,
    threadEntry: new URL('./session-worker/main.js', import.meta.url),
    isAlone: config.redisUrl === null,
  });
  parts.push({ stop: (force) => supervisor.close(force) });
  parts.push(await startProbeServer(config.probe, supervisor, log));
  return supervisor;
}

await runCommand(main);
// Parts of a start that failed may still run.
process.exit();
