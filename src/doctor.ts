import { OperatorError } from './contract/errors.js';
import { browserChecks } from './doctor/browser.js';
import { configurationChecks } from './doctor/configuration.js';
import { examine, type Finding } from './doctor/finding.js';
import { machineChecks } from './doctor/machine.js';
import { pageChecks } from './doctor/page.js';
import { redisChecks } from './doctor/redis.js';
import { whatsAppChecks } from './doctor/whatsapp.js';
import { type Config, loadConfig } from './platform/config/config.js';
import { createLogger } from './platform/logger.js';

/**
 * `npm run doctor [-- all|http|supervisor] [--json]`: looks at everything that the role needs, by the same questions as
 * its start, and changes nothing. Exit code 0: nothing fails, 1: something does, 78: the configuration cannot be read.
 */
async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const config = loadConfig(args.find((arg) => !arg.startsWith('-')) ?? 'all', process.env);
  const findings = await examine(checksOf(config));
  const isFailing = findings.some(({ level }) => level === 'failure');
  process.stdout.write(args.includes('--json') ? asJson(findings, !isFailing) : asText(findings));
  process.exitCode = isFailing ? 1 : 0;
}

function checksOf(config: Config) {
  const log = createLogger('silent');
  return [
    ...configurationChecks(config),
    ...machineChecks(config),
    ...(config.role === 'http'
      ? []
      : [...browserChecks(config), ...whatsAppChecks(config), ...pageChecks(config)]),
    ...redisChecks(config, log),
  ];
}

function asJson(findings: readonly Finding[], isOk: boolean): string {
  return `${JSON.stringify({ ok: isOk, findings }, null, 2)}\n`;
}

const colours = { ok: 32, warning: 33, failure: 31 } as const;

function asText(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, level, message }) => {
    const word = level.padEnd('warning'.length);
    const coloured = process.stdout.isTTY ? `\u001b[${colours[level]}m${word}\u001b[0m` : word;
    return `${coloured}  ${check.padEnd(width)}  ${message}\n`;
  });
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return `${lines.join('')}\n${count('ok')} ok, ${count('warning')} warnings, ${count('failure')} failures\n`;
}

main().catch((error: unknown) => {
  if (!(error instanceof OperatorError)) throw error;
  process.stderr.write(`holdline: ${error.message}\n`);
  process.exitCode = 78;
});
