import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { messageOf, OperatorError } from '../contract/errors.js';
import { passphrase as passphraseSchema } from '../platform/config/variable-types.js';

/** Asks on the terminal, without showing what is typed. `isNew`: asks twice. Throws an {@link OperatorError}. */
export async function askForPassphrase(isNew: boolean, signal: AbortSignal): Promise<string> {
  if (!process.stdin.isTTY) {
    throw new OperatorError(
      'there is no passphrase: set WHATSAPP_BACKUP_PASSPHRASE (at least 12 characters), or run this on a terminal, which asks for it',
    );
  }
  const first = await ask('Passphrase of the backup: ', signal);
  if (!isNew) return first;
  const { error } = passphraseSchema.safeParse(first);
  if (error) throw new OperatorError(`the passphrase ${messageOf(error.issues[0]?.message)}`);
  if ((await ask('The same again: ', signal)) !== first)
    throw new OperatorError('the two passphrases differ');
  return first;
}

function ask(question: string, signal: AbortSignal): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: silent, terminal: true });
  process.stderr.write(question);
  return new Promise<string>((answer, cancel) => {
    terminal.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
    signal.addEventListener('abort', () => cancel(signal.reason), { once: true });
    terminal.once('close', () => cancel(new OperatorError('no passphrase was given')));
    terminal.question('', answer);
  }).finally(() => {
    terminal.close();
    process.stderr.write('\n');
  });
}
