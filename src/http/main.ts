import { once } from 'node:events';
import { OperatorError } from '../contract/errors.js';
import type { FromHttp, ToHttp } from '../contract/http-process-messages.js';
import { loadConfig } from '../platform/config/config.js';
import { usedCredentialsKeys } from '../platform/credentials-keys.js';
import { createLogger } from '../platform/logger.js';
import { watchLoopDelay } from '../platform/loop-delay.js';
import { setOwnOomScore } from '../platform/proc.js';
import { endWhenUnhandled } from '../platform/shutdown.js';
import { startHttp } from './server.js';

/**
 * The entry of the process that serves HTTP beside a supervisor, in the role `all`. It ends when the connection to its
 * parent process closes, because nothing else would stop it then. Exit code 78: it cannot start, and has sent the reason.
 */
if (process.send === undefined) throw new Error('this process needs a parent process with an IPC channel');
const sendToParent = (message: FromHttp) => process.send?.(message, () => undefined);

/** When memory runs out, the kernel kills this process before the supervisor or a browser. */
const oomScore = 500;

const stopped = Promise.race([once(process, 'disconnect'), once(process, 'SIGTERM')]);

async function main(): Promise<void> {
  await setOwnOomScore(oomScore);
  const first = await Promise.race([stopped, once(process, 'message') as Promise<[ToHttp]>]);
  const [message] = first as [ToHttp?];
  if (message?.type !== 'serve') return;

  const configured = loadConfig('all', process.env);
  const credentialsKeys = await usedCredentialsKeys(configured);
  const config = { ...configured, credentialsKeys, port: message.port ?? configured.port };
  const log = createLogger(config.logLevel);
  endWhenUnhandled(log);
  watchLoopDelay(log.child({ part: 'http' }));
  const http = await startHttp({ config, redisUrl: message.redisUrl, log, isBesideSupervisor: true });
  sendToParent({ type: 'listening', port: http.port, url: http.url });
  setInterval(() => sendToParent({ type: 'alive' }), config.timing.loopBeatIntervalMs);
  await stopped;
  await http.close();
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    if (!(error instanceof OperatorError)) throw error;
    const refusal: FromHttp = { type: 'refused', message: error.message };
    process.send?.(refusal, () => process.exit(78));
  },
);
