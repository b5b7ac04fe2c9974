import { printError } from '../../src/platform/command-line.js';
import { programArguments } from '../support/program-arguments.js';

export interface DemoSettings {
  readonly port: number;
  readonly phonePort: number;
  /** Of the caller's variables only those that the demo can use: an API key, for example, would refuse its commands. */
  readonly environment: NodeJS.ProcessEnv;
}

const usage = 'npm run demo [-- --port N]';
const kept = [
  ...['WHATSAPP_BROWSER', 'WHATSAPP_CHROME_EXECUTABLE', 'WHATSAPP_HEADLESS', 'WHATSAPP_LOG_LEVEL'],
  // A test gives the product more time on a busy machine.
  'WHATSAPP_TIMING',
];

/** Wrong arguments end the process with 64. */
export function demoSettings(): DemoSettings {
  const { values } = programArguments(usage, { port: { type: 'string' } });
  const text = values.port ?? (process.env.WHATSAPP_MCP_PORT || '8790');
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_534) {
    printError(`the port must be a number from 1 to 65534, not '${text}': ${usage}`);
    process.exit(64);
  }
  const environment = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => kept.includes(name) || !(name.startsWith('WHATSAPP_') || name === 'REDIS_URL'),
    ),
  );
  return { port, phonePort: port + 1, environment };
}
