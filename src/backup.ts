import { parseArgs } from 'node:util';
import { runCommand, UsageError } from './backup/command.js';
import { givenSession } from './backup/given-session.js';
import { makeBackup } from './backup/make-backup.js';
import { askForPassphrase } from './backup/passphrase.js';
import { standardStream } from './backup/sealed-file.js';
import { messageOf } from './contract/errors.js';
import { loadToolConfig, typedPath } from './platform/config/config.js';
import { parseVariables } from './platform/config/variables.js';

const usage = `usage: npm run backup -- FILE [--session NAME]
       npm run -s backup -- - [--session NAME] > FILE

Writes the login, the events, the outcomes of sends and the configuration of one session, by default of "default", and the settings into one file, encrypted with WHATSAPP_BACKUP_PASSPHRASE or
with a passphrase that it asks for. Holdline may run or be stopped. docs/backup.md says more.`;

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
  const { settledSends, unsettledSends, events } = made.counts;
  process.stderr.write(`
  file     ${target === standardStream ? 'stdout' : target}
  login    as of ${made.loginAt}
  sends    ${settledSends} settled, ${unsettledSends} not yet
  events   ${events}

Whoever has this file and its passphrase has the account. Without the passphrase nobody can read it.

`);
});

/** null: only the usage was asked for. */
function readArguments(): { readonly target: string; readonly session: string } | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { help: { type: 'boolean', short: 'h' }, session: { type: 'string' } },
    });
    if (values.help) return null;
    const session = givenSession(values.session);
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
