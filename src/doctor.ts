import { browserChecks } from './doctor/browser-checks.js';
import { type Check, type Finding, runChecks } from './doctor/check.js';
import { configurationChecks } from './doctor/configuration-checks.js';
import { machineChecks } from './doctor/machine-checks.js';
import { pageChecks } from './doctor/page-checks.js';
import { portChecks } from './doctor/port-check.js';
import { redisChecks } from './doctor/redis-checks.js';
import { whatsAppChecks } from './doctor/whatsapp-checks.js';
import { readArguments, runCommand } from './platform/command-line.js';
import { type Config, loadConfig } from './platform/config/config.js';
import { counted } from './platform/counted.js';
import { createLogger } from './platform/logger.js';

const usage = 'npm run doctor [-- all|http|supervisor] [--json]';

/**
 * `npm run doctor [-- all|http|supervisor] [--json]`: checks everything that the role needs, with the same functions as
 * the start, and changes nothing. Exit code 0: no failure, 1: at least one failure, 64: called wrongly, 78: the configuration is invalid.
 * `HOLDLINE_ENV_FILE`: which variables come from .env, as scripts/env-file.sh says it.
 */
async function main(): Promise<void> {
  const { values, positionals } = readArguments(usage, { json: { type: 'boolean', default: false } }, 1);
  const config = loadConfig(positionals[0] ?? 'all', process.env);
  const findings = await runChecks(checksFor(config, process.env.HOLDLINE_ENV_FILE ?? ''));
  const isFailing = findings.some(({ level }) => level === 'failure');
  process.stdout.write(values.json ? formatJson(findings, !isFailing) : formatFindings(findings));
  process.exitCode = isFailing ? 1 : 0;
}

function checksFor(config: Config, envFile: string): Check[] {
  const log = createLogger('silent');
  return [
    ...configurationChecks(config, envFile),
    ...machineChecks(config),
    ...portChecks(config),
    ...(config.role === 'http'
      ? []
      : [...browserChecks(config), ...whatsAppChecks(config), ...pageChecks(config)]),
    ...redisChecks(config, log),
  ];
}

function formatJson(findings: readonly Finding[], isOk: boolean): string {
  return `${JSON.stringify({ ok: isOk, findings }, null, 2)}\n`;
}

/** ANSI foreground colours. */
const colours = { ok: 32, warning: 33, failure: 31 } as const;

function formatFindings(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(({ check, level, message }) => {
    const label = level.padEnd('warning'.length);
    const coloured = process.stdout.isTTY ? `\u001b[${colours[level]}m${label}\u001b[0m` : label;
    return `${coloured}  ${check.padEnd(width)}  ${message}\n`;
  });
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  const named = (level: Finding['level']) => counted(count(level), level);
  return `${lines.join('')}\n${count('ok')} ok, ${named('warning')}, ${named('failure')}\n`;
}

await runCommand(main);
