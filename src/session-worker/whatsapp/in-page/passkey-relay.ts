import type { NodeChannel } from './node-channel.js';
import type { Foreign, PageAccess } from './page-access.js';

/** What the browser would answer: a credential as JSON, or the error that the page's request rejects with. */
export type RelayAnswer =
  | { readonly credential: Foreign }
  | { readonly error: { readonly name: string; readonly message: string } };

export interface PasskeyRelay {
  /** From now on the page's requests for a passkey of WhatsApp go to Node. All others go to the browser. */
  relayPasskey(): void;
  /** The page waits for the answer to such a request. */
  isPasskeyPending(): boolean;
  /** Ends that wait, as a browser does when nobody uses a passkey. */
  refusePasskey(): void;
}

/** The browser on a server has no passkey, and headless it does not even answer such a request. */
export function passkeyRelay(page: PageAccess & NodeChannel & { passkeyRequests(): number }): PasskeyRelay {
  const { window } = page;
  let isRelaying = false;
  /** Ends the wait for the answer; null: the page does not wait. */
  let refuse: (() => void) | null = null;

  function toText(source: Foreign): string {
    const bytes = window.ArrayBuffer.isView(source)
      ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
      : new Uint8Array(source);
    const text = window.btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
    return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  }

  function toBuffer(text: string): ArrayBuffer {
    const bytes = window.atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(bytes, (char: string) => char.charCodeAt(0)).buffer;
  }

  function toJson(options: Foreign): Foreign {
    const allowed = Array.from((options.allowCredentials ?? []) as Foreign[]);
    return {
      challenge: toText(options.challenge),
      rpId: options.rpId,
      timeout: options.timeout,
      userVerification: options.userVerification,
      allowCredentials: allowed.map(({ id, type, transports }) => ({ id: toText(id), type, transports })),
      extensions: options.extensions,
    };
  }

  // An object that looks like the browser's own. The getters of its class work on the browser's objects only, so it has the values
  // as properties of its own.
  function make(prototype: object, values: Record<string, unknown>): object {
    const properties = Object.entries(values).map(([name, value]) => [
      name,
      { value, enumerable: typeof value !== 'function' },
    ]);
    return Object.create(prototype, Object.fromEntries(properties));
  }

  function toCredential(json: Foreign): object {
    const { clientDataJSON, authenticatorData, signature, userHandle } = json.response;
    return make(window.PublicKeyCredential.prototype, {
      id: json.id,
      type: 'public-key',
      rawId: toBuffer(json.rawId),
      authenticatorAttachment: json.authenticatorAttachment ?? null,
      response: make(window.AuthenticatorAssertionResponse.prototype, {
        clientDataJSON: toBuffer(clientDataJSON),
        authenticatorData: toBuffer(authenticatorData),
        signature: toBuffer(signature),
        userHandle: userHandle ? toBuffer(userHandle) : null,
      }),
      getClientExtensionResults: () => ({}),
      toJSON: () => window.structuredClone(json),
    });
  }

  async function relay({ publicKey, signal }: Foreign): Promise<object> {
    signal?.throwIfAborted();
    if (refuse !== null) throw new window.DOMException('A request is already pending.', 'OperationError');
    const options = toJson(publicKey);
    let isAborted = false;
    const aborted = new Promise<never>((_, reject) => {
      const abort = (reason: Foreign) => {
        isAborted = true;
        reject(reason);
      };
      refuse = () => abort(notAllowed());
      signal?.addEventListener('abort', () => abort(signal.reason), { once: true });
    });
    try {
      const asked = page
        .deliver({ type: 'passkey-asked', options, requests: page.passkeyRequests() })
        .catch(() => Promise.reject(notAllowed()));
      const answer = (await Promise.race([asked, aborted])) as RelayAnswer;
      if ('credential' in answer) return toCredential(answer.credential);
      throw new window.DOMException(answer.error.message, answer.error.name);
    } finally {
      refuse = null;
      if (isAborted) void page.notifyNode({ type: 'passkey-aborted' });
    }
  }

  function notAllowed(): Foreign {
    const message = 'The operation either timed out or was not allowed.';
    return new window.DOMException(message, 'NotAllowedError');
  }

  function isOurs(options: Foreign): boolean {
    return options?.publicKey?.rpId === 'whatsapp.com' && options.mediation !== 'conditional';
  }

  return {
    isPasskeyPending: () => refuse !== null,
    refusePasskey: () => refuse?.(),
    relayPasskey() {
      if (isRelaying || window.top !== window || window.location.origin !== 'https://web.whatsapp.com')
        return;
      const { prototype } = window.CredentialsContainer;
      prototype.get = new Proxy(prototype.get, {
        apply: (get, self, [options]) =>
          isOurs(options) ? relay(options) : Reflect.apply(get, self, [options]),
      });
      isRelaying = true;
    },
  };
}
