import { join } from 'node:path';
import { webVersionsFolder } from '../contract/page.js';
import type { Config } from '../platform/config/config.js';
import { StartPages } from '../session-worker/whatsapp/start-pages.js';
import { allNeededNames } from './capability-report.js';
import { composeReport } from './examine.js';
import { compareLists, type ExportList, readKnownExports } from './export-list.js';
import { readLibraryUses } from './library-uses.js';
import { type LivePage, readLivePage } from './live-page.js';
import type { ContractReport } from './report.js';

/** Compares what Holdline and the library use with today's page, and keeps its start page. */
export async function examineLive(
  config: Config,
  warn: (message: string) => void,
): Promise<{ report: ContractReport; exports: ExportList }> {
  const [list, library] = await Promise.all([readKnownExports(), readLibraryUses()]);
  const needs = allNeededNames().map((name) => name.split('.'));
  const uses = library.uses.map(({ module, member }) => (member === null ? [module] : [module, member]));
  const paths = [...needs, ...uses];
  const modules = [
    ...new Set([...Object.keys(list.modules), ...paths.map(([module = '']) => module)]),
  ].sort();
  const live = await readLivePage(config, { modules, paths }, warn);
  const page = {
    version: live.version,
    start_page: await keepStartPage(config, live),
    difference: compareLists(list, live.exports),
  };
  return { report: composeReport(list, library, live.lookup, page), exports: live.exports };
}

/** Resolves to the file of the start page; to null if it could not be kept. */
async function keepStartPage({ authDir, webVersion }: Config, { version, html }: LivePage) {
  const dir = join(authDir, webVersionsFolder);
  const isKept = await new StartPages(dir, webVersion).keep(version, html);
  return isKept ? join(dir, `${version}.html`) : null;
}
