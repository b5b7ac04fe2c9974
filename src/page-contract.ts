import { writeFile } from 'node:fs/promises';
import { messageOf, OperatorError } from './contract/errors.js';
import { examineList } from './page-contract/examine.js';
import { examineLive } from './page-contract/examine-live.js';
import { formatExports } from './page-contract/export-list.js';
import { UnreachableError } from './page-contract/live-page.js';
import { type ContractReport, formatReport } from './page-contract/report.js';
import { printError, readArguments, runCommand, UsageError } from './platform/command-line.js';
import { requireBrowser } from './platform/config/browser-executable.js';
import { loadConfig } from './platform/config/config.js';

const usage = 'npm run page-contract -- [--json] [--live [--write FILE]]';

/**
 * `npm run page-contract [-- --live]`: checks whether WhatsApp Web's page has what Holdline and whatsapp-web.js use, by the bundled
 * list or by today's page. Exit code 0: nothing that a capability needs is missing,
 * 1: something is missing, 64: called wrongly, 69: WhatsApp Web cannot be reached, 78: the configuration must be changed.
 */
async function main(): Promise<void> {
  const { json, live, write } = readOptions();
  const report = live ? await examineToday(write) : await examineList();
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  process.exitCode = report.ok ? 0 : 1;
}

function readOptions() {
  const boolean = { type: 'boolean', default: false } as const;
  const { values } = readArguments(usage, { json: boolean, live: boolean, write: { type: 'string' } });
  if (values.write !== undefined && !values.live) throw new UsageError('--write needs --live', usage);
  return values;
}

/** Uses the configured browser, its arguments and WHATSAPP_AUTH_DIR. Writes the list of exports to `file`, if given. */
async function examineToday(file: string | undefined): Promise<ContractReport> {
  const config = loadConfig('all', process.env);
  requireBrowser(config);
  const { report, exports } = await examineLive(config, printError);
  if (file !== undefined) {
    await writeFile(file, formatExports(exports)).catch((error: unknown) => {
      throw new OperatorError(`the list cannot be written to ${file}: ${messageOf(error)}`, { cause: error });
    });
  }
  return report;
}

await runCommand(main, (error) => (error instanceof UnreachableError ? 69 : null));
