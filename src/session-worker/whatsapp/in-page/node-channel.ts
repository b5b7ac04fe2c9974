import type { PageMessage } from './descriptions.js';
import type { Foreign, PageAccess } from './page-access.js';

/** What happens in the chats, in order. */
export type PageEvent =
  | { readonly type: 'message'; readonly message: PageMessage }
  | {
      readonly type: 'ack';
      readonly id: string;
      readonly chatId: string;
      readonly ack: number;
      readonly t: number | null;
    };

/** Messages from the page to Node, through `window.holdlineTell`, which Node exposes. */
export type FromPage =
  /** Settles when Node has room for more. `dropped`: how many older events the page has dropped since the last batch. */
  | { readonly type: 'events'; readonly events: readonly PageEvent[]; readonly dropped: number }
  | { readonly type: 'socket-state'; readonly state: string }
  | { readonly type: 'unlinked'; readonly isConfirmed: boolean }
  /**
   * The page requests a passkey: `options` are PublicKeyCredentialRequestOptionsJSON. `requests`: how often WhatsApp has asked the page.
   * Settles with a `RelayAnswer`.
   */
  | { readonly type: 'passkey-asked'; readonly options: unknown; readonly requests: number }
  | { readonly type: 'passkey-aborted' };

export interface NodeChannel {
  /** Waits until Node has taken the message. Rejects if Node could not take it. */
  deliver(message: FromPage): Promise<unknown>;
  /** Best effort: settles after 60 s at the latest, and never rejects. */
  notifyNode(message: FromPage): Promise<unknown>;
}

export function nodeChannel(page: PageAccess): NodeChannel {
  function deliver(message: FromPage): Foreign {
    return page.window.holdlineTell(message);
  }

  return {
    deliver,
    notifyNode: (message) => page.atMost(60_000, () => deliver(message)),
  };
}
