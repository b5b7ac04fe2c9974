import type { ListDifference } from './export-list.js';
import type { CapabilityReport } from './judge.js';

interface NameAt {
  readonly name: string;
  readonly at: string;
}

/** What `npm run page-contract` tells; with --json as it is. */
export interface ContractReport {
  /** Nothing that a capability needs is missing. */
  readonly ok: boolean;
  /** The kept list. */
  readonly list: { readonly revision: string; readonly built: string | null; readonly modules: number };
  /** The page of today; null: it was not asked for. */
  readonly page: {
    readonly version: string;
    /** The file that its start page was kept in; null: it could not be kept. */
    readonly start_page: string | null;
    readonly difference: ListDifference;
  } | null;
  readonly capabilities: readonly CapabilityReport[];
  readonly library: {
    readonly version: string;
    readonly names: number;
    readonly missing: readonly NameAt[];
    readonly unknown: readonly NameAt[];
    /** Modules that it asks for by a computed name, which nobody can look up. */
    readonly computed: number;
  };
}

export function asText(report: ContractReport): string {
  const { list, page, capabilities, library, ok } = report;
  const built = list.built === null ? '' : ` of ${list.built}`;
  const looked =
    page === null
      ? `the kept list: WhatsApp Web ${list.revision}${built}, ${list.modules} modules`
      : `the page of today: WhatsApp Web ${page.version}, without a login`;
  return [
    `${looked}\n`,
    'what Holdline needs',
    ...capabilities.map(capabilityLine),
    '',
    `what whatsapp-web.js ${library.version} asks for besides: ${library.missing.length} of ${library.names} names missing`,
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
  if (gone.length + added.length === 0) return [`the same names as in the kept list (${revision})`];
  return [
    `against the kept list (${revision}): ${gone.length} gone, ${added.length} new`,
    ...gone.map((name) => `  - ${name}`),
    ...added.map((name) => `  + ${name}`),
  ];
}

function startPageLine({ start_page, version }: NonNullable<ContractReport['page']>): string {
  return start_page === null
    ? `the start page of ${version} could not be kept`
    : `the start page is kept: ${start_page} (WHATSAPP_WEB_VERSION=${version} pins it)`;
}

/** What was not looked at, so that nobody takes silence for an answer. */
function limitLines({ page, library }: ContractReport): string[] {
  const lines =
    page === null
      ? [
          'A list tells which names a module exports. Not checked: members of a default export',
          `(${library.unknown.length} names of the library), and what is inside an export.`,
        ]
      : ['Without a login: a module that the page loads only after one counts as missing.'];
  if (library.computed > 0) {
    lines.push(`Not read: ${library.computed} of the library's modules, whose names are computed.`);
  }
  return [
    ...lines,
    'Nor is it known whether the library can do without a name, or whether a name still means the same.',
    '',
  ];
}
