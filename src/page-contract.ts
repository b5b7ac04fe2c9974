import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { messageOf, OperatorError } from './contract/errors.js';
import { examineList } from './page-contract/examine.js';
import { examineLive } from './page-contract/examine-live.js';
import { formatExports } from './page-contract/export-list.js';
import { UnreachableError } from './page-contract/live-page.js';
import { asText, type ContractReport } from './page-contract/report.js';
import { loadConfig } from './platform/config/config.js';
import { requireBrowser } from './platform/config/require-browser.js';

const usage = 'npm run page-contract -- [--json] [--live [--write FILE]]';

/**
 * `npm run page-contract [-- --live]`: whether WhatsApp Web's page has what Holdline and whatsapp-web.js use, by the list that
 * Holdline comes with or by the page of today. Exit code 0: nothing that a capability needs is missing, 1: something
 * is, 64: it was called wrongly, 69: WhatsApp Web is out of reach, 78: the configuration must be changed.
 */
async function main(): Promise<void> {
  const { json, live, write } = readOptions();
  const report = live ? await lookLive(write) : await examineList();
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : asText(report));
  process.exitCode = report.ok ? 0 : 1;
}

class UsageError extends Error {}

function readOptions() {
  const boolean = { type: 'boolean', default: false } as const;
  try {
    const { values } = parseArgs({ options: { json: boolean, live: boolean, write: { type: 'string' } } });
    if (values.write !== undefined && !values.live) throw new Error('--write needs --live');
    return values;
  } catch (error) {
    throw new UsageError(`${messageOf(error)}: ${usage}`);
  }
}

/** The browser, its arguments and WHATSAPP_AUTH_DIR are those of the configuration. */
async function lookLive(file: string | undefined): Promise<ContractReport> {
  const config = loadConfig('all', process.env);
  requireBrowser(config);
  const { report, exports } = await examineLive(config, complain);
  if (file !== undefined) {
    await writeFile(file, formatExports(exports)).catch((error: unknown) => {
      throw new OperatorError(`the list cannot be written to ${file}: ${messageOf(error)}`, { cause: error });
    });
  }
  return report;
}

function complain(message: string): void {
  process.stderr.write(`holdline: ${message}\n`);
}

function exitCodeOf(error: unknown): number | null {
  if (error instanceof UsageError) return 64;
  if (error instanceof UnreachableError) return 69;
  return error instanceof OperatorError ? 78 : null;
}

main().catch((error: unknown) => {
  const code = exitCodeOf(error);
  if (code === null) throw error;
  complain(messageOf(error));
  process.exitCode = code;
});
