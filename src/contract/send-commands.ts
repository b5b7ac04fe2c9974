/** The steps of a send, each a command to the session worker. */
export interface SendCommands {
  /** Is the number on WhatsApp, and under which id will the message be found? Refused as `not_on_whatsapp`. */
  readonly prepareSend: {
    readonly input: { readonly phoneNumber: string; readonly jobId: string };
    readonly output: { readonly chatId: string; readonly messageId: string };
  };
  /** Hands the text to the page, which may send it now or after a reconnect. */
  readonly sendText: {
    readonly input: {
      readonly jobId: string;
      readonly chatId: string;
      readonly messageId: string;
      readonly message: string;
      /** ms; the page does not send after it. */
      readonly notAfter: number;
    };
    readonly output: null;
  };
  /** Waits for an answer of WhatsApp's server, at most so long; null: the message is not in the chat. */
  readonly findSent: {
    readonly input: { readonly messageId: string; readonly waitForAckMs: number };
    readonly output: FoundMessage | null;
  };
}

export interface FoundMessage {
  /** -1 refused, 0 in the page only, 1 with WhatsApp's server, 2 and more on the phone of the other. */
  readonly ack: number;
  /** Unix seconds */
  readonly timestamp: number | null;
}
