import type { WorkerOperationName } from './operations.js';

/** What the session worker can be told to do. The steps of a send come from the supervisor alone: they need a record first. */
export type CommandName = WorkerOperationName | keyof SendCommands;

/** The steps of a send. Each is a command to the session worker. */
export interface SendCommands {
  /**
   * Resolves the recipient to a chat, and chooses the message's id. Refused as `not_on_whatsapp`. Rejects as interrupted if
   * WhatsApp does not answer. `chatId` and `messageId` are never empty.
   */
  readonly prepareSend: {
    readonly input: SendRecipient & { readonly jobId: string };
    readonly output: PreparedMessage;
  };
  /**
   * Hands texts of one chat to the page, one after another. The page sends them now or after a reconnect. The output ends
   * with the first text that was not sent: the texts after it were not tried.
   */
  readonly sendTexts: {
    readonly input: {
      readonly messages: readonly TextToSend[];
      /** Unix ms; the page sends nothing after it. */
      readonly notAfter: number;
    };
    readonly output: readonly SentText[];
  };
  /** Looks a message up. null: it is not in the chat. */
  readonly findSent: {
    readonly input: { readonly messageId: string };
    readonly output: FoundMessage | null;
  };
  /** Waits at most `waitMs` for an acknowledgement of WhatsApp's server. null: the message is no longer in the chat. */
  readonly untilAcked: {
    readonly input: { readonly messageId: string; readonly waitMs: number };
    readonly output: FoundMessage | null;
  };
}

/** Exactly one of the two: digits, or an id of WhatsApp. */
export interface SendRecipient {
  readonly phoneNumber: string | null;
  readonly chatId: string | null;
}

export interface PreparedMessage {
  /** The id to which WhatsApp resolves the recipient. */
  readonly chatId: string;
  readonly messageId: string;
  /** Digits of the recipient's number; null unless it is a person whose number WhatsApp reveals. */
  readonly phone: string | null;
}

export interface TextToSend {
  readonly jobId: string;
  readonly chatId: string;
  readonly messageId: string;
  readonly message: string;
  readonly linkPreview: boolean;
  readonly markSeen: boolean;
}

/**
 * `late`: nothing was sent, because `notAfter` had passed or the message's id no longer fits the chat. The message may be tried
 * again. `pending`: the page has not finished sending the message. It never sends the same message twice at once.
 */
export type SentText =
  | { readonly type: 'sent' | 'late' | 'pending' }
  | { readonly type: 'refused'; readonly message: string };

export interface FoundMessage {
  /** -1: refused; 0: in the page only; 1: WhatsApp's server has it; 2 and more: the recipient's phone has it. */
  readonly ack: number;
  /** Unix seconds */
  readonly timestamp: number | null;
}
