import { refuseScan, type ScanResult } from './linking.js';
import type { PageConnection } from './page-connection.js';
import { note, type World } from './world.js';

/** Accounts that need a passkey: after the phone accepts a code, the owner has to go on in the page before it is linked. */

/** The phone accepted the page's code: asks the page for the passkey. */
export function demandPasskey(world: World, pageId: string): ScanResult {
  world.passkey.waiting.add(pageId);
  for (const page of pagesOf(world, pageId)) page.send({ type: 'passkey-asked' });
  note(world, 'WhatsApp asks the page for a passkey.');
  return refuseScan('passkey-asked');
}

/** The owner used the passkey: links the page as a scan does. */
export function finishPasskey(world: World): ScanResult {
  const [pageId] = world.passkey.waiting;
  const [page] = pageId === undefined ? [] : pagesOf(world, pageId);
  if (!page) return refuseScan('no-passkey-asked');
  const device = world.linking.link(page.deviceName);
  if (!device) return refuseScan('too-many-devices');
  world.passkey.waiting.delete(page.pageId);
  note(world, `${device.id} was linked by its passkey.`);
  page.pair(device);
  return { linked: true, deviceId: device.id };
}

/** Makes the pages that were asked go back to QR codes. */
export function cancelPasskey(world: World): void {
  for (const pageId of world.passkey.waiting) {
    world.passkey.waiting.delete(pageId);
    for (const page of pagesOf(world, pageId)) {
      page.send({ type: 'passkey-cancelled' });
      page.offerRefs();
    }
  }
}

function pagesOf(world: World, pageId: string): PageConnection[] {
  return [...world.connections].filter((page) => page.pageId === pageId);
}
