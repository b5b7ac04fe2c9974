/** The steps of a send, each a command to the session worker. */
export interface SendCommands {
  /**
   * Which chat is the recipient's, and under which id will the message be found? Refused as `not_on_whatsapp`. Rejects as
   * interrupted where WhatsApp does not answer. Both outputs are texts that are not empty.
   */
  readonly prepareSend: {
    readonly input: SendRecipient & { readonly jobId: string };
    readonly output: PreparedMessage;
  };
  /**
   * Hands texts of one chat to the page one after another, which may send them now or after a reconnect. The first one
   * that it does not take ends the row: it is the last that is answered.
   */
  readonly sendTexts: {
    readonly input: {
      readonly messages: readonly {
        readonly jobId: string;
        readonly chatId: string;
        readonly messageId: string;
        readonly message: string;
        readonly linkPreview: boolean;
        readonly markSeen: boolean;
      }[];
      /** ms; the page does not send after it. */
      readonly notAfter: number;
    };
    readonly output: readonly SentText[];
  };
  /** null: the message is not in the chat. */
  readonly findSent: {
    readonly input: { readonly messageId: string };
    readonly output: FoundMessage | null;
  };
  /** Waits for an answer of WhatsApp's server, at most so long; null: the message is not in the chat any more. */
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
  /** The id that WhatsApp answers for the recipient. */
  readonly chatId: string;
  readonly messageId: string;
  /** Digits of the recipient's number, where it is a person and WhatsApp tells them. */
  readonly phone: string | null;
}

/**
 * `late`: nothing went out, and nothing is wrong with the message. `pending`: the page has begun it and not ended it; it is
 * never begun beside itself.
 */
export type SentText =
  | { readonly type: 'sent' | 'late' | 'pending' }
  | { readonly type: 'refused'; readonly message: string };

export interface FoundMessage {
  /** -1 refused, 0 in the page only, 1 with WhatsApp's server, 2 and more on the phone of the other. */
  readonly ack: number;
  /** Unix seconds */
  readonly timestamp: number | null;
}
