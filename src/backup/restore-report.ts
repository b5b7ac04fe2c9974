import { defaultSession, pathOfSession, qrPagePath } from '../contract/names.js';
import type { Restored } from './restore-backup.js';
import type { RestoredSession } from './restore-one.js';
import type { RestoredKeys } from './saved-keys.js';

/** What the operator is told after a restore. `settings`: the variables that are set here. */
export function restoreReport(
  { origin, sessions, keys }: Restored,
  settings: Readonly<Record<string, unknown>>,
): string {
  const others = Object.keys(origin.settings).filter((name) => settings[name] !== origin.settings[name]);
  return `
  backup   of ${origin.host}, made ${origin.madeAt}
${sessions.map((each) => `${sessionReport(each, sessions.length === 1)}\n`).join('')}${keys === null ? '' : `${keysReport(keys)}\n`}${others.length === 0 ? '' : `  settings differ here: ${others.join(', ')}\n           (--settings NEWFILE shows them)\n`}
${whatNext(sessions)}

`;
}

function sessionReport(
  { saved, sends, events, profileDir, lacksProxyKey }: RestoredSession,
  isOnly: boolean,
): string {
  const { session, loginAt, problem, counts } = saved;
  const place =
    profileDir === null
      ? 'in Redis, for every supervisor'
      : `in ${profileDir}, for the supervisor of this machine only`;
  const lines =
    loginAt === null
      ? [`  login    none in the backup: ${problem ?? 'the session was not linked'}`]
      : [
          `  login    as of ${loginAt}, ${place}`,
          ...(problem === null ? [] : [`           ${problem}`]),
          `  sends    ${sends} that were not here yet; of all, ${counts.unsettledSends} had not settled: they are unknown now, and not sent again`,
          `  events   ${events}`,
        ];
  if (lacksProxyKey)
    lines.push(
      '  proxy    its password is encrypted with another WHATSAPP_CREDENTIALS_KEY: PUT the proxy again',
    );
  const isPlain = isOnly && session === defaultSession;
  return [...(isPlain ? [] : [`  session  ${session}`]), ...lines].join('\n');
}

function keysReport({ present, leftOut }: RestoredKeys): string {
  const others =
    leftOut.length === 0 ? '' : `; left out, because the name is in use here: ${leftOut.join(', ')}`;
  return `  keys     ${present}${others}`;
}

function whatNext(sessions: readonly RestoredSession[]): string {
  const restored = sessions.filter(({ saved }) => saved.loginAt !== null).map(nameOf);
  const withoutLogin = sessions.filter(({ hasLogin }) => !hasLogin).map(nameOf);
  return `${startText(restored)}\n${scanText(withoutLogin, sessions.length)}`;
}

const nameOf = ({ saved }: RestoredSession): string => saved.session;

/** `sessions`: those whose login was restored. */
function startText([only, ...more]: readonly string[]): string {
  if (only === undefined) return 'There was no login to restore.';
  const start = more.length === 0 ? pathOfSession(only, '/api/auth/start') : 'the start of each session';
  return `Stop the old Holdline for good: WhatsApp ends a login that runs in two places. Then start this one, and POST ${start}.`;
}

function scanText([only, ...more]: readonly string[], sessions: number): string {
  if (only === undefined) return 'No scan is needed.';
  const names = [only, ...more].join(', ');
  const others = sessions === more.length + 1 ? '' : ' No other session needs a scan.';
  return more.length === 0
    ? `This session has no login, so it needs a scan on ${qrPagePath(only)}: ${names}.${others}`
    : `These sessions have no login, so each needs a scan on its page /qr: ${names}.${others}`;
}
