import { setTimeout as delay } from 'node:timers/promises';
import type { PageConnection } from './page-connection.js';
import type { Answers, Ask } from './protocol.js';
import { note, type World } from './world.js';

/** Answers what a page asks; the text of what is thrown is what the page's own call rejects with. */
export async function answerPage(world: World, page: PageConnection, ask: Ask): Promise<unknown> {
  switch (ask.kind) {
    case 'pairing-code':
      return issueCode(world, page, ask.phone);
    case 'cancel-code':
      world.codes.retire(page.pageId, 'cancelled-code');
      note(world, 'The page went back to QR codes.');
      return null;
    case 'exists':
      return world.directory.find(ask.wid);
    case 'send-begins':
      return beginSending(world, page);
    case 'list-chats':
      await delay(world.faults.slowChatsMs, undefined, { ref: false });
      return null;
    default:
      return ask satisfies never;
  }
}

function issueCode(world: World, page: PageConnection, phone: string): Answers['pairing-code']['answer'] {
  const { codes, directory, faults, timing } = world;
  if (faults.codeRefused !== null) throw new Error(faults.codeRefused);
  if (!page.state.startsWith('UNPAIRED')) throw new Error('not-allowed');
  const wid = `${phone}@c.us`;
  const isOnWhatsApp = wid === world.account.wid || directory.find(wid) !== null;
  if (!/^\d{8,15}$/.test(phone) || !isOnWhatsApp) throw new Error('bad-request');
  const { code } = codes.issue(page.pageId, phone, timing.pairingCodeMs);
  note(world, `The page shows a pairing code for +${phone}.`);
  return code;
}

function beginSending(world: World, page: PageConnection): Answers['send-begins']['answer'] {
  const { faults } = world;
  world.sendsBegun += 1;
  if (page.reached('before-send')) return 'stall-unsent';
  if (faults.sendRejects) return 'reject';
  return faults.sendStalls ? `stall-${faults.sendStalls}` : 'go';
}
