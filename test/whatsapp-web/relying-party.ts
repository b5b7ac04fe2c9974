import {
  type AuthenticationResponseJSON,
  generateAuthenticationOptions,
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
  type WebAuthnCredential,
} from '@simplewebauthn/server';

const ORIGIN = 'https://web.whatsapp.com';
const RP_ID = 'whatsapp.com';

/** What a page hands to `navigator.credentials.get()`, as JSON. */
export interface PasskeyOptions {
  readonly challenge: string;
  readonly timeout: number;
  readonly rpId: string;
  readonly allowCredentials: readonly { id: string; type: 'public-key' }[];
  readonly userVerification: 'required';
  readonly extensions: { readonly uvm: true };
}

export interface VerifiedPasskey {
  readonly credentialId: string;
  readonly userVerified: boolean;
  readonly origin: string;
  readonly rpID: string;
}

/** WhatsApp as WebAuthn's relying party: the account's passkeys, and the checks of what is made with them. */
export class RelyingParty {
  readonly #credentials = new Map<string, WebAuthnCredential>();
  /** Challenges of registrations. Each is accepted once. */
  readonly #registrations = new Set<string>();

  async registrationOptions(userName: string): Promise<object> {
    const options = await generateRegistrationOptions({
      rpName: 'WhatsApp stand-in',
      rpID: RP_ID,
      userName,
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
    });
    this.#registrations.add(options.challenge);
    return options;
  }

  /** Keeps the new passkey. Throws if it was not made for a challenge of this server on its page. */
  async register(response: RegistrationResponseJSON): Promise<{ id: string }> {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge: (challenge) => this.#registrations.delete(challenge),
      expectedOrigin: ORIGIN,
      expectedRPID: RP_ID,
      requireUserVerification: true,
    });
    if (!verified || !registrationInfo) throw new Error('the registration is not valid');
    const { credential } = registrationInfo;
    this.#credentials.set(credential.id, credential);
    return { id: credential.id };
  }

  async options(timeout: number): Promise<PasskeyOptions> {
    const { challenge } = await generateAuthenticationOptions({ rpID: RP_ID });
    return {
      challenge,
      timeout,
      rpId: RP_ID,
      allowCredentials: [],
      userVerification: 'required',
      extensions: { uvm: true },
    };
  }

  /** Throws, with the reason, unless a passkey of the account signed this challenge on WhatsApp's page. */
  async verify(response: AuthenticationResponseJSON, challenge: string): Promise<VerifiedPasskey> {
    const known = this.#credentials.get(response.id);
    if (!known) throw new Error('unknown credential');
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: ORIGIN,
      expectedRPID: RP_ID,
      // Passkeys that are synchronised do not count their uses.
      credential: { ...known, counter: 0 },
      requireUserVerification: true,
    });
    if (!verified) throw new Error('bad signature');
    const { credentialID, userVerified, origin, rpID } = authenticationInfo;
    return { credentialId: credentialID, userVerified, origin, rpID };
  }
}
