import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import type { Browser, CDPSession, Page, Protocol } from 'puppeteer';
import { startBrowser } from '../whatsapp-web/raw-page.js';
import { eventually } from './eventually.js';

const WHATSAPP = 'https://web.whatsapp.com';

/** A page of WhatsApp's site that neither shows QR codes nor connects to its server. */
const QUIET_PAGE = `${WHATSAPP}/frame`;

interface Attached {
  readonly cdp: CDPSession;
  readonly authenticatorId: string;
}

/**
 * The browser of the account's owner: another Chromium than the product's, which can reach the passkey. Every tab has a
 * virtual authenticator with the same passkeys. It verifies its user without asking, unless `decline()` was called.
 */
export class OwnerBrowser {
  readonly browser: Browser;
  readonly #profile: string;
  readonly #tabs = new Map<Page, Promise<Attached>>();
  readonly #passkeys: Protocol.WebAuthn.Credential[] = [];
  #isDeclining = false;

  private constructor(browser: Browser, profile: string) {
    this.browser = browser;
    this.#profile = profile;
    browser.on('targetcreated', (target) => {
      if (target.type() !== 'page') return;
      // A tab can be closed before it is reached.
      target.page().then(
        (page) => page && this.usePasskeys(page).catch(() => {}),
        () => {},
      );
    });
  }

  /** `chromeArgs` are the stand-in's. */
  static async open(chromeArgs: readonly string[]): Promise<OwnerBrowser> {
    const profile = await mkdtemp(join(tmpdir(), 'holdline-owner-'));
    const browser = await startBrowser({ chromeArgs }, { profile });
    return new OwnerBrowser(browser, profile);
  }

  /** Makes a passkey for the account, which all tabs then have; resolves to its id. */
  async register(): Promise<string> {
    const page = await this.openPage(QUIET_PAGE);
    const id = (await page.evaluate(`(async () => {
      const post = async (path, body) => {
        const response = await fetch(path, { method: 'POST', body: JSON.stringify(body ?? null) });
        const result = await response.json();
        if (!response.ok) throw new Error(result.error);
        return result;
      };
      const options = await post('/passkey/register-options');
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      const credential = await navigator.credentials.create({ publicKey });
      return (await post('/passkey/register', credential.toJSON())).id;
    })()`)) as string;
    const { cdp, authenticatorId } = await this.usePasskeys(page);
    const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
    await page.close();
    const isKnown = ({ credentialId }: Protocol.WebAuthn.Credential) =>
      this.#passkeys.some((passkey) => passkey.credentialId === credentialId);
    const made = credentials.filter((credential) => !isKnown(credential));
    this.#passkeys.push(...made);
    await this.#inEveryTab((attached) => add(attached, made));
    return id;
  }

  /** From now on the owner does not verify, so the browser refuses; or does so again. */
  async decline(isDeclining = true): Promise<void> {
    this.#isDeclining = isDeclining;
    await this.#inEveryTab(async ({ cdp, authenticatorId }) => {
      await cdp.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified: !isDeclining });
    });
  }

  async openPage(url: string): Promise<Page> {
    const page = await this.browser.newPage();
    await this.usePasskeys(page);
    await page.goto(url);
    return page;
  }

  /** The newest tab that shows WhatsApp's site, as soon as there is one. */
  async whatsAppTab(): Promise<Page> {
    const find = async () => (await this.browser.pages()).findLast((page) => page.url().startsWith(WHATSAPP));
    const page = (await eventually(find, { message: "no tab shows WhatsApp's site" })) as Page;
    await this.usePasskeys(page);
    return page;
  }

  /**
   * Uses the passkey for these options, as `toJSON()` gives it: for tests without a page of the product. Rejects with the
   * browser's error, e.g. NotAllowedError.
   */
  async assert(options: object): Promise<AuthenticationResponseJSON> {
    const page = await this.openPage(QUIET_PAGE);
    try {
      const json = await page.evaluate(`(async (options) => {
        const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
        const credential = await navigator.credentials.get({ publicKey });
        return JSON.stringify(credential.toJSON());
      })(${JSON.stringify(options)})`);
      return JSON.parse(json as string) as AuthenticationResponseJSON;
    } finally {
      await page.close();
    }
  }

  /** Gives a tab the authenticator. Tabs that the browser opens get it by themselves. */
  usePasskeys(page: Page): Promise<Attached> {
    const known = this.#tabs.get(page);
    if (known) return known;
    const attached = this.#attach(page);
    this.#tabs.set(page, attached);
    page.once('close', () => this.#tabs.delete(page));
    return attached;
  }

  async close(): Promise<void> {
    await this.browser.close();
    // Chromium's last child can still be writing when its main process is gone.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  /** A tab that closes meanwhile does not count. */
  async #inEveryTab(act: (attached: Attached) => Promise<void>): Promise<void> {
    for (const [page, attaching] of [...this.#tabs]) {
      try {
        await act(await attaching);
      } catch (error) {
        this.#tabs.delete(page);
        if ((error as Error).name !== 'TargetCloseError') throw error;
      }
    }
  }

  async #attach(page: Page): Promise<Attached> {
    const cdp = await page.createCDPSession();
    await cdp.send('WebAuthn.enable', { enableUI: false });
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: !this.#isDeclining,
        automaticPresenceSimulation: true,
      },
    });
    const attached = { cdp, authenticatorId };
    await add(attached, this.#passkeys);
    return attached;
  }
}

async function add(
  { cdp, authenticatorId }: Attached,
  passkeys: readonly Protocol.WebAuthn.Credential[],
): Promise<void> {
  const { credentials } = await cdp.send('WebAuthn.getCredentials', { authenticatorId });
  const ids = new Set(credentials.map(({ credentialId }) => credentialId));
  for (const credential of passkeys) {
    if (!ids.has(credential.credentialId)) {
      await cdp.send('WebAuthn.addCredential', { authenticatorId, credential });
    }
  }
}
