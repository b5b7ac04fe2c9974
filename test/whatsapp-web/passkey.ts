import { randomBytes } from 'node:crypto';
import type { AuthenticationResponseJSON } from '@simplewebauthn/server';
import { refuseScan, type ScanResult } from './linking.js';
import type { PageConnection } from './page-connection.js';
import { type PasskeyOptions, RelyingParty, type VerifiedPasskey } from './relying-party.js';
import { Timers } from './timers.js';
import { note, type World } from './world.js';

/**
 * Accounts that need a passkey. After the phone accepted a code, the owner presses Continue in the page and uses the passkey.
 * The server verifies it, phone and page compare a code, and then the page is linked.
 */

export interface PasskeyWorld {
  /** While true, a code that the phone accepts does not link. */
  isAsked: boolean;
  /** What is under way, by the id of its page. */
  readonly waiting: Map<string, Ceremony>;
  readonly party: RelyingParty;
  optionsSent: number;
  readonly verified: VerifiedPasskey[];
  /** Reasons for which pages gave up, as `reason: detail`. */
  readonly failures: string[];
}

export interface Ceremony {
  /** The challenge that can still be answered. */
  challenge: string | null;
  /** As the page last said. */
  stage: string;
  /** Shown on the phone, to be compared with the page's. */
  phoneCode: string | null;
  readonly timers: Timers;
}

export function createPasskeyWorld(): PasskeyWorld {
  return {
    isAsked: false,
    waiting: new Map(),
    party: new RelyingParty(),
    optionsSent: 0,
    verified: [],
    failures: [],
  };
}

/** The phone accepted the page's code: asks the page for the passkey. What was under way there is void. */
export function demandPasskey(world: World, pageId: string): ScanResult {
  const { faults, passkey, timing } = world;
  forgetPasskey(world, pageId);
  const ceremony: Ceremony = { challenge: null, stage: 'NotStarted', phoneCode: null, timers: new Timers() };
  passkey.waiting.set(pageId, ceremony);
  note(world, 'WhatsApp asks the page for a passkey.');
  void newOptions(world, ceremony).then((options) => {
    const message = {
      type: 'passkey-asked',
      options,
      handoffMs: timing.passkeyHandoffMs,
      waitMs: timing.passkeyWaitMs,
      withoutGet: faults.passkeyWithoutGet,
      withoutTestIds: faults.passkeyWithoutTestIds,
    } as const;
    if (passkey.waiting.get(pageId) === ceremony) {
      for (const page of pagesOf(world, pageId)) page.send(message);
    }
  });
  return refuseScan('passkey-asked');
}

/** The page asks for options after a failure. */
export function renewOptions(world: World, page: PageConnection): Promise<PasskeyOptions> {
  return newOptions(world, ceremonyOf(world, page));
}

/** The page sends what the passkey signed. If that is right, the phone goes on after `passkeyPhoneMs`. */
export async function takePasskey(
  world: World,
  page: PageConnection,
  credential: AuthenticationResponseJSON,
): Promise<null> {
  const { faults, passkey, timing } = world;
  const ceremony = ceremonyOf(world, page);
  const { challenge } = ceremony;
  ceremony.challenge = null;
  if (faults.passkeyServerError) throw new Error('internal-server-error');
  if (challenge === null) throw new Error('no open challenge');
  passkey.verified.push(await passkey.party.verify(credential, challenge));
  note(world, 'The passkey is right.');
  if (faults.passkeySilent) return null;
  ceremony.timers.later(timing.passkeyPhoneMs, () => {
    ceremony.phoneCode = newCode();
    note(world, `The phone shows ${ceremony.phoneCode}.`);
    page.send({ type: 'passkey-continues', code: ceremony.phoneCode });
  });
  return null;
}

/** The code was confirmed in the page: the phone compares it too, and links the page. */
export async function confirmCode(world: World, page: PageConnection, code: string): Promise<null> {
  const { faults, timing } = world;
  const ceremony = ceremonyOf(world, page);
  if (ceremony.phoneCode === null || ceremony.phoneCode !== code)
    throw new Error('the phone shows another code');
  if (faults.passkeyNeverPaired) return null;
  ceremony.timers.later(timing.passkeyPhoneMs, () => {
    linkPage(world, page);
  });
  return null;
}

/** The page reports its stage, and the reason if it has given up. */
export function notePasskeyStage(
  world: World,
  pageId: string,
  { stage, failure }: { stage: string; failure: string | null },
): void {
  const ceremony = world.passkey.waiting.get(pageId);
  if (!ceremony) return;
  ceremony.stage = stage;
  if (failure === null) return;
  ceremony.timers.cancel();
  ceremony.phoneCode = null;
  world.passkey.failures.push(failure);
  note(world, `The page gave up: ${failure}.`);
}

/** The owner used the passkey: links the page as a scan does, without the steps above. */
export function finishPasskey(world: World): ScanResult {
  const [pageId] = world.passkey.waiting.keys();
  const [page] = pageId === undefined ? [] : pagesOf(world, pageId);
  return page ? linkPage(world, page) : refuseScan('no-passkey-asked');
}

/** Makes the pages that were asked go back to QR codes. */
export function cancelPasskey(world: World): void {
  for (const pageId of world.passkey.waiting.keys()) {
    forgetPasskey(world, pageId);
    for (const page of pagesOf(world, pageId)) {
      page.send({ type: 'passkey-cancelled' });
      page.offerRefs();
    }
  }
}

/** The page went back to QR codes by itself. */
export function leavePasskey(world: World, page: PageConnection): null {
  ceremonyOf(world, page);
  forgetPasskey(world, page.pageId);
  note(world, 'The page went back to QR codes.');
  page.offerRefs();
  return null;
}

/** The page is gone, or is asked anew. */
export function forgetPasskey({ passkey }: World, pageId: string): void {
  passkey.waiting.get(pageId)?.timers.cancel();
  passkey.waiting.delete(pageId);
}

function linkPage(world: World, page: PageConnection): ScanResult {
  const device = world.linking.link(page.deviceName);
  if (!device) return refuseScan('too-many-devices');
  forgetPasskey(world, page.pageId);
  note(world, `${device.id} was linked by its passkey.`);
  page.pair(device);
  return { linked: true, deviceId: device.id };
}

async function newOptions(world: World, ceremony: Ceremony): Promise<PasskeyOptions> {
  const options = await world.passkey.party.options(world.timing.passkeyTimeoutMs);
  ceremony.challenge = options.challenge;
  world.passkey.optionsSent += 1;
  return options;
}

function ceremonyOf({ passkey }: World, page: PageConnection): Ceremony {
  const ceremony = passkey.waiting.get(page.pageId);
  if (!ceremony) throw new Error('no passkey is asked for');
  return ceremony;
}

/** Eight characters of Crockford's alphabet, which has no I, L, O and U. */
function newCode(): string {
  return [...randomBytes(8)].map((byte) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[byte & 31]).join('');
}

function pagesOf(world: World, pageId: string): PageConnection[] {
  return [...world.connections].filter((page) => page.pageId === pageId);
}
