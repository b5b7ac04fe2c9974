import type { AnswerOf, CommandInputOf, WorkerOperationName } from '../../contract/operations.js';
import type { PasskeyCredential } from '../../contract/passkey.js';
import type { SendCommands } from '../../contract/worker-commands.js';
import type { PasskeyLinking } from '../passkey-linking.js';
import type { PhoneCompleter } from '../phone-completer.js';
import type { WhatsAppClient } from '../whatsapp/client.js';

/** What the functions of the operations work with. */
export interface CommandParts {
  readonly client: WhatsAppClient;
  readonly phones: PhoneCompleter;
  readonly passkey: Pick<PasskeyLinking, 'ceremony' | 'cancel'>;
  /** The owner's answer that a command names, once; null: there is none. */
  readonly takePasskeyAnswer: (token: string) => Promise<PasskeyCredential | null>;
}

/** One function for each operation of the table that the session worker carries out. */
export type OperationFunctions = {
  readonly [Name in WorkerOperationName]: (
    parts: CommandParts,
    input: CommandInputOf<Name>,
  ) => Promise<AnswerOf<Name>>;
};

/** One function for each step of a send. */
export type SendFunctions = {
  readonly [Name in keyof SendCommands]: (
    parts: CommandParts,
    input: SendCommands[Name]['input'],
  ) => Promise<SendCommands[Name]['output']>;
};

/** How long a question to the page may take, in ms. Longer than the page itself waits for WhatsApp. */
export const pageAnswerMs = 30_000;
