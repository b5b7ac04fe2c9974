import {
  type Capabilities,
  type CapabilityName,
  capabilityNames,
  type PageStatus,
  pageSchema,
} from '../contract/page.js';
import type { Findings, PageExamination } from './whatsapp/in-page/self-test.js';

/**
 * The page's part of the status. A capability that was not tested counts as `ok`: before a login the page has not loaded all of
 * its modules.
 */
export function describePage({ version, repairs, findings }: PageExamination): PageStatus {
  const capabilities = Object.fromEntries(
    capabilityNames.map((name) => [name, findings[name]?.capability ?? 'ok']),
  ) as Capabilities;
  const applied = repairs.filter(({ result }) => result === 'applied').map(({ name }) => name);
  return pageSchema.parse({ version, capabilities, repairs: applied, problem: problemOf(version, findings) });
}

/** The broken capabilities in a sentence, for `last_error`; null: none is broken. No operation needs `media` yet. */
export function brokenSentence(page: PageStatus, findings: Findings): string | null {
  return sentence(page.version, findings, (name) => name !== 'media' && page.capabilities[name] === 'broken');
}

function problemOf(version: string | null, findings: Findings): string | null {
  return sentence(version, findings, (name) => (findings[name]?.capability ?? 'ok') !== 'ok');
}

function sentence(
  version: string | null,
  findings: Findings,
  isIncluded: (name: CapabilityName) => boolean,
): string | null {
  const parts = capabilityNames.filter(isIncluded).map((name) => {
    const { capability = 'broken', lacks = [] } = findings[name] ?? {};
    return `${name} ${capability} (${lacks.slice(0, 3).join(', ')})`;
  });
  return parts.length === 0
    ? null
    : `on WhatsApp Web ${version ?? 'of an unknown version'}: ${parts.join('; ')}`;
}
