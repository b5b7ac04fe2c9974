import { join } from 'node:path';
import { messageOf } from '../contract/errors.js';
import { webVersionsFolder } from '../contract/page.js';
import { examineList } from '../page-contract/examine.js';
import type { ContractReport } from '../page-contract/report.js';
import type { Config } from '../platform/config/config.js';
import { counted } from '../platform/counted.js';
import { readPinnedPage } from '../session-worker/whatsapp/pinned-page.js';
import { type StartPage, StartPages } from '../session-worker/whatsapp/start-pages.js';
import { type Check, failure, ok, type Verdict, warning } from './check.js';

const dayMs = 86_400_000;
/** A start page names scripts that WhatsApp deletes after about two months. */
const warnAfterDays = 42;

/** Checks what is known about WhatsApp Web's page without loading it. */
export function pageChecks({ webVersion, authDir }: Pick<Config, 'webVersion' | 'authDir'>): Check[] {
  const dir = join(authDir, webVersionsFolder);
  return [
    { name: 'page contract', run: async () => contractVerdict(await examineList()) },
    { name: 'page version', run: () => versionVerdicts(dir, webVersion) },
  ];
}

export function contractVerdict({ ok: isOk, list, capabilities, library }: ContractReport): Verdict {
  const built = list.built === null ? '' : ` of ${list.built}`;
  const page = `WhatsApp Web ${list.revision}${built}, according to the bundled list`;
  const notOk = capabilities.filter(({ level }) => level !== 'ok').map(({ capability }) => capability);
  if (!isOk || notOk.length > 0) {
    return warning(`${page}: something is missing for ${notOk.join(', ')}; npm run page-contract names it`);
  }
  return ok(
    `${page}, has what Holdline needs; whatsapp-web.js ${library.version} uses ${counted(library.missing.length, 'name')} that it lacks`,
  );
}

async function versionVerdicts(dir: string, pinned: string | null): Promise<Verdict[]> {
  const kept = await new StartPages(dir).list();
  return [await pinVerdict(dir, pinned, kept), keptVerdict(kept)];
}

async function pinVerdict(dir: string, pinned: string | null, kept: readonly StartPage[]): Promise<Verdict> {
  if (pinned === null) return ok('none is pinned: sessions use the page that WhatsApp serves');
  try {
    await readPinnedPage(dir, pinned);
  } catch (error) {
    return failure(messageOf(error));
  }
  const page = kept.find(({ version }) => version === pinned);
  const days = page === undefined ? 0 : Math.floor((Date.now() - Date.parse(page.kept_at)) / dayMs);
  const text = `${pinned} is pinned; its start page was saved ${days} days ago`;
  if (days <= warnAfterDays) return ok(text);
  return warning(
    `${text}: WhatsApp deletes the scripts of a page after about two months, and then it does not start; pin a newer version, or unset WHATSAPP_WEB_VERSION`,
  );
}

function keptVerdict(kept: readonly StartPage[]): Verdict {
  if (kept.length === 0) return ok('no start page is saved yet: the first session that works saves one');
  const versions = kept.map(({ version, kept_at }) => `${version} (${kept_at.slice(0, 10)})`);
  return ok(`saved, and can be pinned: ${versions.join(', ')}`);
}
