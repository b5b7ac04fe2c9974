import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PNG } from 'pngjs';
import { toBuffer } from 'qrcode';
import { encodeQr } from '../../../src/session-worker/qr-image.js';
import { readQr } from '../../support/stage.js';

function textOf(length: number): string {
  return '2@'.padEnd(length, 'aZ9,/+=').slice(0, length);
}

/** Growing numbers of modules, so that they fall on different pixels. */
for (const length of [1, 17, 60, 133, 240, 241, 500]) {
  test(`the image of ${length} characters decodes to them`, async () => {
    const text = textOf(length);
    const { png, base64 } = await encodeQr(text);
    assert.deepEqual(readQr(png), { text, width: 360, height: 360 });
    assert.deepEqual(Buffer.from(base64, 'base64'), png);
  });
}

test('a code of WhatsApp’s length has the pixels that the library draws', async () => {
  const text = textOf(240);
  const theirs = await toBuffer(text, { type: 'png', width: 360, margin: 2, errorCorrectionLevel: 'L' });
  const [image, expected] = [(await encodeQr(text)).png, theirs].map((png) => PNG.sync.read(png).data);
  assert.ok(image?.equals(expected as Buffer));
});

test('a text that is too long for a code is refused', async () => {
  await assert.rejects(encodeQr('x'.repeat(3_000)), /too big/);
});
