import { parseArgs } from 'node:util';
import { incompleteCode, runCommand, UsageError } from './backup/command.js';
import { givenSession } from './backup/given-session.js';
import { type MadeBackup, makeBackup } from './backup/make-backup.js';
import { askForPassphrase } from './backup/passphrase.js';
import { standardStream } from './backup/sealed-file.js';
import { messageOf } from './contract/errors.js';
import { defaultSession } from './contract/names.js';
import { loadToolConfig, typedPath } from './platform/config/config.js';
import { parseVariables } from './platform/config/variables.js';

const usage = `usage: npm run backup -- FILE [--session NAME | --all]
       npm run -s backup -- - [--session NAME | --all] > FILE

Writes the login, the events, the outcomes of sends and the configuration of a session, and the settings, into one file. It is encrypted
with WHATSAPP_BACKUP_PASSPHRASE, or with a passphrase that it asks for. Holdline may run or be stopped. docs/backup.md says more.
  --session NAME   the session; by default "default"
  --all            all sessions, and the API keys that were made while it ran`;

await runCommand(usage, async (signal) => {
  const given = readArguments();
  if (given === null) return void process.stdout.write(`${usage}\n`);
  const { target, session } = given;
  const { WHATSAPP_BACKUP_PASSPHRASE: _, ...settings } = parseVariables(process.env).given;
  const config = loadToolConfig(process.env);
  const passphrase = config.backupPassphrase ?? (await askForPassphrase(true, signal));
  const made = await makeBackup(
    {
      ...{ config, session, target, passphrase },
      settings: settings as Record<string, string>,
    },
    signal,
  );
  process.stderr.write(`
  file     ${target === standardStream ? 'stdout' : target}
${reportOf(made)}

Whoever has this file and its passphrase has the ${made.sessions.length > 1 ? 'accounts' : 'account'}. Without the passphrase nobody can read it.

`);
  const problems = made.sessions.filter(({ problem }) => problem !== null);
  if (problems.length === 0) return;
  process.exitCode = incompleteCode;
  const lines = problems.map(({ session, problem }) => `holdline: the session ${session}: ${problem}\n`);
  const howMany =
    made.sessions.length === 1
      ? ''
      : `: ${problems.length} of ${made.sessions.length} sessions lack something`;
  process.stderr.write(`holdline: the backup is not complete${howMany}\n${lines.join('')}`);
});

function reportOf({ sessions, keys }: MadeBackup): string {
  const sum = (count: 'settledSends' | 'unsettledSends' | 'events') =>
    sessions.reduce((total, { counts }) => total + counts[count], 0);
  const times = sessions.flatMap(({ loginAt }) => loginAt ?? []).sort();
  const login =
    keys === null
      ? `as of ${times[0]}`
      : `of ${times.length} of ${sessions.length} sessions${times.length === 0 ? '' : `, the oldest as of ${times[0]}`}`;
  return [
    `  login    ${login}`,
    `  sends    ${sum('settledSends')} settled, ${sum('unsettledSends')} not yet`,
    `  events   ${sum('events')}`,
    ...(keys === null ? [] : [`  keys     ${keys}`]),
  ].join('\n');
}

/** null: only the usage was asked for. A session that is null: all. */
function readArguments(): { readonly target: string; readonly session: string | null } | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        session: { type: 'string' },
        all: { type: 'boolean' },
      },
    });
    if (values.help) return null;
    if (values.all && values.session !== undefined)
      throw new Error('give either --session or --all, not both');
    const session = values.all ? null : givenSession(values.session ?? defaultSession);
    const [target, ...more] = positionals;
    if (target === undefined || more.length > 0) throw new Error('name one file');
    if (target === standardStream) {
      const { npm_lifecycle_event: script, npm_config_loglevel: level } = process.env;
      if (process.stdout.isTTY) throw new Error('the backup would go to the terminal');
      if (script !== undefined && level !== 'silent') {
        throw new Error('npm would print lines of its own into the backup: add -s');
      }
      return { target, session };
    }
    return { target: typedPath(target, process.env), session };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
