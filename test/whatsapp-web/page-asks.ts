import { setTimeout as delay } from 'node:timers/promises';
import type { PageConnection } from './page-connection.js';
import { confirmCode, leavePasskey, renewOptions, takePasskey } from './passkey.js';
import type { Answers, Ask } from './protocol.js';
import { note, type World } from './world.js';

const NEVER = new Promise<never>(() => {});

/** Answers a question of a page. If this throws, the page's own call rejects with the same text. */
export async function answerPage(world: World, page: PageConnection, ask: Ask): Promise<unknown> {
  const { faults, timing } = world;
  switch (ask.kind) {
    case 'pairing-code':
      return issueCode(world, page, ask.phone);
    case 'cancel-code':
      world.codes.retire(page.pageId, 'cancelled-code');
      note(world, 'The page went back to QR codes.');
      return null;
    case 'passkey-options':
      return renewOptions(world, page);
    case 'passkey-answer':
      return takePasskey(world, page, ask.credential);
    case 'passkey-confirm':
      return confirmCode(world, page, ask.code);
    case 'passkey-cancel':
      return leavePasskey(world, page);
    case 'exists':
      return findPerson(world, ask.wid);
    case 'send-begins':
      return beginSending(world, page);
    case 'list-chats':
      return allow(null, faults.slowChatsMs);
    case 'mark-seen':
      return allow(faults.seen);
    case 'link-preview':
      return allow(faults.preview, faults.previewMs);
    case 'reaction':
      await allow(faults.reaction);
      world.mailbox.react(world.people.knownMessageId(ask.messageId), ask.emoji);
      return null;
    case 'load-earlier':
      return allow(faults.loadEarlierThrows ? 'throws' : null);
    case 'group-metadata':
      world.groupQuestions += 1;
      return allow(faults.groupMetadata, faults.groupMetadataMs);
    case 'sentinel':
      return allow(null, timing.sentinelMs);
    case 'unpair':
      return unpair(world, page, ask.reason);
    default:
      return ask satisfies never;
  }
}

async function allow(fault: 'throws' | 'refused' | 'hangs' | null, delayMs = 0): Promise<null> {
  if (fault === 'hangs') return NEVER;
  if (delayMs > 0) await delay(delayMs, undefined, { ref: false });
  if (fault !== null) throw new Error(fault === 'refused' ? 'not-authorized' : 'a fault of the page');
  return null;
}

function issueCode(world: World, page: PageConnection, phone: string): Answers['pairing-code']['answer'] {
  const { codes, directory, faults, timing } = world;
  if (page.isAskedForPasskey) world.disturbances.codes += 1;
  if (faults.codeRefused !== null) throw new Error(faults.codeRefused);
  if (!page.state.startsWith('UNPAIRED')) throw new Error('not-allowed');
  const wid = `${phone}@c.us`;
  const isOnWhatsApp = wid === world.account.wid || directory.find(wid) !== null;
  if (!/^\d{8,15}$/.test(phone) || !isOnWhatsApp) throw new Error('bad-request');
  const { code } = codes.issue(page.pageId, phone, timing.pairingCodeMs);
  note(world, `The page shows a pairing code for +${phone}.`);
  return code;
}

/** Looks a person up. After a look-up by number, pages know the number. */
async function findPerson(world: World, wid: string): Promise<Answers['exists']['answer']> {
  const { directory, faults, people } = world;
  const dialled = people.known(wid);
  if (faults.lookupHangs.some((number) => people.known(number) === dialled)) return NEVER;
  const found = directory.find(dialled);
  if (found === null) return null;
  if (wid.endsWith('@c.us')) people.reveal(people.known(found));
  return people.contact(people.known(found));
}

function beginSending(world: World, page: PageConnection): Answers['send-begins']['answer'] {
  const { faults } = world;
  world.sendsBegun += 1;
  if (page.reached('before-send')) return 'stall-unsent';
  if (faults.sendRejects) return 'reject';
  return faults.sendStalls ? `stall-${faults.sendStalls}` : 'go';
}

/** Unlinks the device after `unpairMs`, even if its page has gone by then. */
async function unpair(
  world: World,
  page: PageConnection,
  reason: string,
): Promise<Answers['unpair']['answer']> {
  const { faults, linking, timing } = world;
  const { logoutNavigationMs: navigationMs, unpairMs } = timing;
  const { device } = page;
  if (faults.logoutSilent) return NEVER;
  if (faults.logoutRefused !== null) return { status: faults.logoutRefused, navigationMs };
  await new Promise<void>((resolve) => {
    world.timers.later(unpairMs, resolve);
  });
  if (device && linking.unlink(device.id)) note(world, `${device.id} logged itself out (${reason}).`);
  page.forgetDevice();
  return { status: 200, navigationMs };
}
