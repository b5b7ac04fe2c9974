import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Linking } from '../../whatsapp-web/linking.js';
import { PairingCodes } from '../../whatsapp-web/pairing-codes.js';

const KEYS = { noise: 'noise', identity: 'identity', adv: 'adv', platform: '1' };

/** A Linking with a clock that only the test moves. */
function stoppedLinking() {
  const clock = { nowMs: 1_000 };
  return { clock, linking: new Linking(() => clock.nowMs) };
}

const reasonOf = (result: ReturnType<Linking['scan']>) => (result.linked ? 'linked' : result.reason);

test('a QR text links one device, once', () => {
  const { linking } = stoppedLinking();
  const { qr } = linking.issueRef('page', KEYS, 60_000);

  assert.equal(reasonOf(linking.scan(qr)), 'linked');
  assert.equal(reasonOf(linking.scan(qr)), 'used');
  assert.equal(linking.devices.size, 1);
});

test('a QR text is valid until its last millisecond', () => {
  const { linking, clock } = stoppedLinking();
  const { qr } = linking.issueRef('page', KEYS, 60_000);

  clock.nowMs += 60_000;
  assert.equal(linking.currentRef(), undefined);
  assert.equal(reasonOf(linking.scan(qr)), 'expired');
  clock.nowMs -= 1;
  assert.equal(reasonOf(linking.scan(qr)), 'linked');
});

test('a new ref ends the previous one of the same page only', () => {
  const { linking } = stoppedLinking();
  const first = linking.issueRef('page', KEYS, 60_000);
  const elsewhere = linking.issueRef('another page', KEYS, 60_000);
  linking.issueRef('page', KEYS, 20_000);

  assert.equal(reasonOf(linking.scan(first.qr)), 'expired');
  assert.equal(reasonOf(linking.scan(elsewhere.qr)), 'linked');
});

test('texts that no page shows are refused with a reason', () => {
  const { linking } = stoppedLinking();
  const { ref, qr } = linking.issueRef('page', KEYS, 60_000);
  const { qr: abandoned } = linking.issueRef('closed page', KEYS, 60_000);
  linking.retirePage('closed page');

  assert.equal(reasonOf(linking.scan('hello')), 'not-a-qr');
  assert.equal(reasonOf(linking.scan(qr.replace(ref, '2@unknown'))), 'unknown-ref');
  assert.equal(reasonOf(linking.scan(qr.replace('identity', 'foreign'))), 'foreign-keys');
  assert.equal(reasonOf(linking.scan(qr.replace(ref, 'undefined'))), 'unknown-ref');
  assert.equal(reasonOf(linking.scan(abandoned)), 'page-gone');
  assert.equal(reasonOf(linking.scan(qr)), 'linked', 'control: the text itself is accepted');
});

test('a fifth device is refused until one of the four is unlinked', () => {
  const { linking } = stoppedLinking();
  const link = () => linking.scan(linking.issueRef('page', KEYS, 60_000).qr);
  for (const _ of [1, 2, 3, 4]) assert.equal(reasonOf(link()), 'linked');

  const refused = link();
  assert.equal(reasonOf(refused), 'too-many-devices');
  assert.match(
    'message' in refused ? refused.message : '',
    /one account, .*four .*Unlink one of them first\.$/,
  );
  assert.ok(linking.unlink('device-2'));
  assert.equal(reasonOf(link()), 'linked');
});

test('credentials are valid until their device is unlinked', () => {
  const { linking } = stoppedLinking();
  const result = linking.scan(linking.issueRef('page', KEYS, 60_000).qr);
  assert.ok(result.linked);
  const { id, secret } = result.device;

  assert.equal(linking.authenticate({ id, secret })?.id, id);
  assert.equal(linking.authenticate({ id, secret: 'another' }), undefined);
  linking.unlink(id);
  assert.equal(linking.authenticate({ id, secret }), undefined);
});

test('a phone accepts only a text with the current secret of the page, and none without one', () => {
  const { linking } = stoppedLinking();
  const { qr } = linking.issueRef('page', KEYS, 60_000);
  const withSecret = (adv: string) => qr.split(',').with(3, adv).join(',');

  linking.changeKeys('page', { ...KEYS, adv: null });
  assert.equal(linking.currentRef(), undefined, 'nothing can be scanned');
  assert.equal(reasonOf(linking.scan(withSecret('null'))), 'no-secret');
  assert.equal(reasonOf(linking.scan(qr)), 'old-secret');

  linking.changeKeys('page', { ...KEYS, adv: 'newer' });
  assert.equal(reasonOf(linking.scan(qr)), 'old-secret');
  assert.equal(linking.currentRef()?.qr, withSecret('newer'));
  assert.equal(reasonOf(linking.scan(withSecret('newer'))), 'linked');
});

test('accept() checks a text without linking', () => {
  const { linking } = stoppedLinking();
  const { qr, ref } = linking.issueRef('page', KEYS, 60_000);
  const accepted = linking.accept(qr);
  assert.ok(!('linked' in accepted) && accepted.ref === ref);
  assert.equal(linking.devices.size, 0);
  assert.equal(reasonOf(linking.scan(qr)), 'linked');
});

test('a device keeps the name of its page at the link, by QR code and by pairing code', () => {
  const { linking } = stoppedLinking();
  const codes = new PairingCodes(() => 1_000);
  const nameOf = (pageId: string) => `name of ${pageId}`;
  linking.scan(linking.issueRef('one', KEYS, 60_000).qr, nameOf);
  codes.enter(codes.issue('other', '15550001111', 60_000).code, '15550001111', linking, nameOf);
  assert.deepEqual(
    [...linking.devices.values()].map(({ name }) => name),
    ['name of one', 'name of other'],
  );
});
