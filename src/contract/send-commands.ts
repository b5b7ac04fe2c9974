/** The steps of a send, each a command to the session worker. */
export interface SendCommands {
  /** Is the number on WhatsApp, and under which id will the message be found? Refused as `not_on_whatsapp`. */
  readonly prepareSend: {
    readonly input: { readonly phoneNumber: string; readonly jobId: string };
    readonly output: { readonly chatId: string; readonly messageId: string };
  };
  /**
   * Hands texts to the page one after another, which may send them now or after a reconnect. The first one that it does
   * not take ends the row: it is the last that is answered.
   */
  readonly sendTexts: {
    readonly input: {
      readonly messages: readonly {
        readonly jobId: string;
        readonly chatId: string;
        readonly messageId: string;
        readonly message: string;
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

/** `late`: nothing went out, and nothing is wrong with the message. */
export type SentText =
  | { readonly type: 'sent' | 'late' }
  | { readonly type: 'refused'; readonly message: string };

export interface FoundMessage {
  /** -1 refused, 0 in the page only, 1 with WhatsApp's server, 2 and more on the phone of the other. */
  readonly ack: number;
  /** Unix seconds */
  readonly timestamp: number | null;
}
