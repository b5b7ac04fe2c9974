import { counted } from '../platform/counted.js';
import type { CapabilityReport } from './capability-report.js';
import type { ListDifference } from './export-list.js';

interface NameAt {
  readonly name: string;
  readonly at: string;
}

/** The result of `npm run page-contract`; with --json it is printed as it is. */
export interface ContractReport {
  /** No capability is broken. */
  readonly ok: boolean;
  /** The bundled list. */
  readonly list: { readonly revision: string; readonly built: string | null; readonly modules: number };
  /** Today's page; null without --live. */
  readonly page: {
    readonly version: string;
    /** The file of the start page; null: it could not be kept. */
    readonly start_page: string | null;
    readonly difference: ListDifference;
  } | null;
  readonly capabilities: readonly CapabilityReport[];
  readonly library: {
    readonly version: string;
    readonly names: number;
    readonly missing: readonly NameAt[];
    readonly unknown: readonly NameAt[];
    /** The number of modules that the library requires by a computed name: they cannot be looked up. */
    readonly computed: number;
  };
}

export function formatReport(report: ContractReport): string {
  const { list, page, capabilities, library, ok } = report;
  const built = list.built === null ? '' : ` of ${list.built}`;
  const source =
    page === null
      ? `the bundled list: WhatsApp Web ${list.revision}${built}, ${list.modules} modules`
      : `today's page: WhatsApp Web ${page.version}, without a login`;
  return [
    `${source}\n`,
    'what Holdline needs',
    ...capabilities.map(capabilityLine),
    '',
    `what whatsapp-web.js ${library.version} uses: ${library.missing.length} of ${library.names} names missing`,
    ...library.missing.map(({ name, at }) => `  ${name}  (${at})`),
    ...(page === null
      ? []
      : ['', ...differenceLines(page.difference, list.revision), '', startPageLine(page)]),
    '',
    ...limitLines(report),
    ok ? 'nothing that a capability needs is missing' : 'something that a capability needs is missing',
    '',
  ].join('\n');
}

function capabilityLine({ capability, level, missing, missing_helps, unknown }: CapabilityReport): string {
  const facts = [
    ...(missing.length > 0 ? [`missing: ${missing.join(', ')}`] : []),
    ...(missing_helps.length > 0 ? [`helpful and missing: ${missing_helps.join(', ')}`] : []),
    ...(unknown.length > 0 ? [`not known: ${unknown.join(', ')}`] : []),
  ];
  const text = facts.length > 0 ? facts.join('; ') : 'all there';
  return `  ${level.padEnd('degraded'.length)}  ${capability.padEnd('messages'.length)}  ${text}`;
}

function differenceLines({ gone, added }: ListDifference, revision: string): string[] {
  if (gone.length + added.length === 0) return [`the same names as in the bundled list (${revision})`];
  return [
    `compared with the bundled list (${revision}): ${gone.length} gone, ${added.length} new`,
    ...gone.map((name) => `  - ${name}`),
    ...added.map((name) => `  + ${name}`),
  ];
}

function startPageLine({ start_page, version }: NonNullable<ContractReport['page']>): string {
  return start_page === null
    ? `the start page of ${version} could not be kept`
    : `the start page is kept: ${start_page} (WHATSAPP_WEB_VERSION=${version} pins it)`;
}

/** Says what was not checked, so that it does not pass for found. */
function limitLines({ page, library }: ContractReport): string[] {
  const lines =
    page === null
      ? [
          'The list has the names that a module exports. Not checked: members of a default export',
          `(${counted(library.unknown.length, 'name')} of the library), and what is inside an export.`,
        ]
      : ['Without a login: a module that the page loads only after a login counts as missing.'];
  if (library.computed > 0) {
    lines.push(`Not checked: ${library.computed} modules that the library requires by a computed name.`);
  }
  return [
    ...lines,
    'Not known: whether the library works without a missing name, and whether a name still means the same.',
    '',
  ];
}
