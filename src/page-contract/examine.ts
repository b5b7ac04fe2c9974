import { assessCapabilities, type Lookup, lookupInList, type Presence } from './capability-report.js';
import { type ExportList, readKnownExports } from './export-list.js';
import { type LibraryUses, readLibraryUses, useName } from './library-uses.js';
import type { ContractReport } from './report.js';

/** Compares what Holdline and the library use with the bundled list. */
export async function examineList(): Promise<ContractReport> {
  const [list, library] = await Promise.all([readKnownExports(), readLibraryUses()]);
  return composeReport(list, library, lookupInList(list), null);
}

/** `lookup` looks up names in the list or the live page. `page` is null without a live page. */
export function composeReport(
  { revision, built, modules }: ExportList,
  library: LibraryUses,
  lookup: Lookup,
  page: ContractReport['page'],
): ContractReport {
  const capabilities = assessCapabilities(lookup);
  const usesThatAre = (presence: Presence) =>
    library.uses
      .filter((use) => lookup(useName(use)) === presence)
      .map((use) => ({ name: useName(use), at: use.at }));
  return {
    ok: capabilities.every(({ level }) => level !== 'broken'),
    list: { revision, built, modules: Object.keys(modules).length },
    page,
    capabilities,
    library: {
      version: library.version,
      names: library.uses.length,
      missing: usesThatAre('missing'),
      unknown: usesThatAre('unknown'),
      computed: library.computed,
    },
  };
}
