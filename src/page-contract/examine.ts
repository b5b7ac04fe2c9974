import { type ExportList, readKnownExports } from './export-list.js';
import { judgeCapabilities, type Look, lookInList } from './judge.js';
import { type LibraryUses, nameOf, readLibraryUses } from './library-uses.js';
import type { ContractReport } from './report.js';

/** Holds what Holdline and the library use against the kept list. */
export async function examineList(): Promise<ContractReport> {
  const [list, library] = await Promise.all([readKnownExports(), readLibraryUses()]);
  return reportOf(list, library, lookInList(list), null);
}

/** What there is to tell of a page that is looked at this way. */
export function reportOf(
  { revision, built, modules }: ExportList,
  library: LibraryUses,
  look: Look,
  page: ContractReport['page'],
): ContractReport {
  const capabilities = judgeCapabilities(look);
  const which = (presence: ReturnType<Look>) =>
    library.uses
      .filter((use) => look(nameOf(use)) === presence)
      .map((use) => ({ name: nameOf(use), at: use.at }));
  return {
    ok: capabilities.every(({ level }) => level !== 'broken'),
    list: { revision, built, modules: Object.keys(modules).length },
    page,
    capabilities,
    library: {
      version: library.version,
      names: library.uses.length,
      missing: which('missing'),
      unknown: which('unknown'),
      computed: library.computed,
    },
  };
}
