import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { runCommand, UsageError } from './backup/command.js';
import { givenSession } from './backup/given-session.js';
import { askForPassphrase } from './backup/passphrase.js';
import { readSettings, restoreBackup } from './backup/restore-backup.js';
import { restoreReport } from './backup/restore-report.js';
import { standardStream } from './backup/sealed-file.js';
import { messageOf, OperatorError } from './contract/errors.js';
import { loadToolConfig, typedPath } from './platform/config/config.js';
import { parseVariables } from './platform/config/variables.js';

const usage = `usage: npm run restore -- FILE [--session NAME] [--replace]
       npm run restore -- FILE [--session NAME] --settings NEWFILE

Restores a backup of npm run backup, while Holdline is stopped. FILE may be -, for stdin.
  --session NAME       the session to restore; by default "default", and of a backup of all sessions, all of them
  --replace            replace the login that is here
  --settings NEWFILE   only write the settings of the backup, as an environment file
It asks for the passphrase if WHATSAPP_BACKUP_PASSPHRASE is not set. docs/backup.md says more.`;

interface Arguments {
  readonly source: string;
  readonly session: string | null;
  readonly isReplacing: boolean;
  readonly settingsFile: string | null;
}

await runCommand(usage, async (signal) => {
  const given = readArguments();
  if (given === null) return void process.stdout.write(`${usage}\n`);
  const { source, session, isReplacing, settingsFile } = given;
  const config = loadToolConfig(process.env);
  const passphrase = config.backupPassphrase ?? (await askForPassphrase(false, signal));
  const options = { config, session, source, passphrase };
  if (settingsFile !== null) return writeSettings(settingsFile, await readSettings(options, signal));
  const restored = await restoreBackup({ ...options, isReplacing }, signal);
  process.stdout.write(restoreReport(restored, parseVariables(process.env).given));
});

async function writeSettings(file: string, text: string): Promise<void> {
  await writeFile(file, text, { mode: 0o600, flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw new OperatorError(`${file} exists already: name a new file, and compare the two`);
  });
  process.stdout.write(
    `\n  settings   ${file}\n\nThey are those of the old machine: correct paths and addresses in them.\n\n`,
  );
}

/** null: only the usage was asked for. */
function readArguments(): Arguments | null {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        replace: { type: 'boolean' },
        session: { type: 'string' },
        settings: { type: 'string' },
      },
    });
    if (values.help) return null;
    const [source, ...more] = positionals;
    if (source === undefined || more.length > 0) throw new Error('name one file');
    const { settings, replace = false } = values;
    if (replace && settings !== undefined)
      throw new Error('--settings only writes the settings: leave out --replace');
    const from = (path: string) => typedPath(path, process.env);
    return {
      session: values.session === undefined ? null : givenSession(values.session),
      source: source === standardStream ? source : from(source),
      isReplacing: replace,
      settingsFile: settings === undefined ? null : from(settings),
    };
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
