import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { logoutResults } from '../../src/contract/intent.js';
import type { OutputOf } from '../../src/contract/operations.js';
import { apiCaller, eventsOf } from '../support/api-caller.js';
import { eventually } from '../support/eventually.js';
import type { Product } from '../support/product.js';
import { busyMachineTiming, readQr, Stage } from '../support/stage.js';

/** Linking and unlinking on today's page, which differ from the page of June. */

async function open(timing: Record<string, number> = {}, options: Parameters<typeof Stage.open>[0] = {}) {
  const stage = await Stage.open(options);
  const product = stage.start('all', {
    WHATSAPP_TIMING: JSON.stringify({ ...busyMachineTiming, ...timing }),
  });
  await product.post('/api/auth/start');
  return { stage, product };
}

describe('a pairing code', () => {
  let stage: Stage;
  let product: Product;
  const call = apiCaller(() => product);

  before(async () => {
    ({ stage, product } = await open({ pairingCodeMs: 10_000 }));
  });
  after(() => stage.close());

  it('replaces the QR, which returns when the code is not typed in time', async () => {
    await product.until((s) => s.has_qr, 'a QR');
    const paired = await call<{ code: string }>('/api/pairing-code', { phone_number: '15550001111' });
    assert.equal(paired.status, 200, JSON.stringify(paired.body));
    assert.equal((await product.status()).has_qr, false, 'no QR beside the code');
    const { qr } = await product.until((s) => s.has_qr, 'a QR again');
    // It is the first of a batch.
    assert.equal(Date.parse(qr?.expires_at ?? '') - Date.parse(qr?.issued_at ?? ''), 60_000);
    const isScannable = async () => {
      const image = await product.get('/qr.png');
      if (image.status !== 200) return false;
      const { text } = readQr(Buffer.from(await image.arrayBuffer()));
      return text !== null && text === (await stage.whatsApp.phone.currentQr());
    };
    await eventually(isScannable, { timeoutMs: 30_000, message: 'a phone accepts the QR that is shown' });
  });

  it('links the phone when it is typed in time', async () => {
    const paired = await call<{ code: string }>('/api/pairing-code', { phone_number: '15550001111' });
    assert.equal((await stage.whatsApp.phone.enterCode(paired.body.code)).linked, true);
    await product.until((s) => s.ready, 'ready by code');
  });
});

describe('a passkey request', () => {
  let stage: Stage;
  let product: Product;
  const call = apiCaller(() => product);

  before(async () => {
    // A batch of codes ends soon.
    const codes = { firstRefMs: 8_000, nextRefMs: 500, refsPerBatch: 3 };
    ({ stage, product } = await open({}, { timing: codes }));
  });
  after(() => stage.close());

  it('shows at once, removes the QR and leaves the page undisturbed', async () => {
    await product.until((s) => s.has_qr, 'a QR');
    await stage.whatsApp.phone.askForPasskey(true);
    // For a moment between two codes there is none to scan.
    const isScanned = async () => {
      const result = await stage.whatsApp.phone.scanCurrent();
      return !result.linked && result.reason === 'passkey-asked';
    };
    await eventually(isScanned, { message: 'the code is scanned' });
    const asked = await product.until((s) => s.state === 'passkey_required', 'passkey_required', 10_000);
    assert.equal(asked.has_qr, false);
    assert.match(asked.last_error ?? '', /passkey/);
    assert.equal((await product.get('/qr.png')).status, 404);
    assert.match(await (await product.get('/qr')).text(), /passkey/);
    await eventually(async () => {
      assert.match(await (await product.get('/metrics')).text(), /state="passkey_required"\} 1/);
      return true;
    });
    const isEvent = async () =>
      (await eventsOf(product, 'state', 1)).some(({ state }) => state === 'passkey_required');
    await eventually(isEvent, { message: 'an event of the passkey request' });
    for (const [path, body] of [
      ['/api/pairing-code', { phone_number: '15550001111' }],
      ['/api/send', { phone_number: '15550002222', message: 'x' }],
    ] as const) {
      const refused = await call(path, body);
      assert.deepEqual([refused.status, refused.body.error.code], [409, 'login_required'], path);
    }
    // Meanwhile the codes run out.
    const isIdle = async () =>
      (await stage.whatsApp.phone.state()).connections.some(({ state }) => state === 'UNPAIRED_IDLE');
    await eventually(isIdle, { timeoutMs: 30_000, message: 'the page has run out of codes' });
    assert.equal((await product.status()).state, 'passkey_required');
    assert.deepEqual((await stage.whatsApp.phone.state()).disturbances, { refreshes: 0, codes: 0 });
  });

  it('brings the codes back when it is cancelled', async () => {
    await stage.whatsApp.timing.set({ firstRefMs: 60_000 });
    await stage.whatsApp.phone.cancelPasskey();
    await product.until((s) => s.has_qr, 'codes again');
  });

  it('links the account when the passkey is used', async () => {
    const scanned = async () => {
      await stage.whatsApp.phone.scanCurrent();
      return (await product.status()).state === 'passkey_required';
    };
    await eventually(scanned, { timeoutMs: 20_000, message: 'WhatsApp asks for the passkey again' });
    await stage.whatsApp.phone.askForPasskey(false);
    assert.equal((await stage.whatsApp.phone.finishPasskey()).linked, true);
    const { last_error } = await product.until((s) => s.ready, 'ready');
    assert.equal(last_error, null);
  });
});

describe('a logout', () => {
  for (const [how, faults, unlinked] of [
    ['that WhatsApp refuses', { logoutRefused: 500 }, false],
    ['that WhatsApp does not answer', { logoutSilent: true }, false],
    ['that WhatsApp answers late', {}, true],
  ] as const) {
    it(`${how} answers unlinked: ${unlinked}, and deletes the credentials`, async () => {
      // Where the server answers, the page waits long enough for a busy machine.
      const { stage, product } = await open({}, unlinked ? { page: { logoutDeadlineMs: 60_000 } } : {});
      try {
        await stage.whatsApp.phone.scanCurrent();
        await product.until((s) => s.ready, 'ready');
        await stage.whatsApp.faults.set(faults);
        await stage.whatsApp.timing.set({ unpairMs: 1_000 });
        const answer = await product.post<OutputOf<'logout'>>('/api/logout');
        assert.deepEqual(answer, { ok: true, ...logoutResults[unlinked ? 'unlinked' : 'notTold'] });
        const { devices } = await stage.whatsApp.phone.state();
        assert.equal(devices.length, unlinked ? 0 : 1);
        assert.equal((await product.status()).state, 'stopped');
        await stage.whatsApp.faults.clear();
        const started = await product.post<{ state: string }>('/api/auth/start');
        assert.equal(started.state, 'qr');
      } finally {
        await stage.close();
      }
    });
  }
});

describe('a login that the session worker has not noticed yet', () => {
  /** Linked, with its history a second later. The page monitor does not look, and the page does not report the sync. */
  async function linked() {
    const timing = { offlineMs: 1_000, syncMs: 60_000 };
    const { stage, product } = await open({ watchIntervalMs: 60_000 }, { timing });
    const { phone } = stage.whatsApp;
    await phone.scanCurrent();
    const isLinked = async () => (await phone.state()).connections.some(({ hasHistory }) => hasHistory);
    await eventually(isLinked, { timeoutMs: 30_000, message: 'the page is linked' });
    assert.equal((await product.status()).state, 'qr');
    await stage.whatsApp.timing.set({ offlineMs: 100, syncMs: 300 });
    return { stage, product };
  }

  it('survives a stop', async () => {
    const { stage, product } = await linked();
    try {
      assert.deepEqual(await product.post('/api/stop'), { ok: true });
      const started = await product.post<{ state: string }>('/api/auth/start');
      assert.ok(['authenticated', 'ready'].includes(started.state), started.state);
      await product.until((s) => s.ready, 'ready');
      assert.equal((await stage.whatsApp.phone.state()).devices.length, 1);
    } finally {
      await stage.close();
    }
  });

  it('is unlinked by a logout', async () => {
    const { stage, product } = await linked();
    try {
      const answer = await product.post<OutputOf<'logout'>>('/api/logout');
      assert.deepEqual(answer, { ok: true, ...logoutResults.unlinked });
      assert.equal((await stage.whatsApp.phone.state()).devices.length, 0);
    } finally {
      await stage.close();
    }
  });
});

describe('a page that lacks a function', () => {
  it('is reloaded for fresh codes when it cannot be asked for them', async () => {
    const page = { missing: ['WAWebLaunchSocketUtils'] };
    const codes = { firstRefMs: 900, nextRefMs: 700, refsPerBatch: 2 };
    const { stage, product } = await open({}, { page, timing: codes });
    try {
      const shown = await product.until((s) => (s.qr?.number ?? 0) >= 5, 'the third batch of codes');
      assert.equal(shown.page?.capabilities.qr, 'degraded');
      assert.equal(shown.restarts, 0);
    } finally {
      await stage.close();
    }
  });

  it('shows as degraded in the status, and its broken operations answer 501', async () => {
    const stage = await Stage.open({
      page: { missing: ['WAWebCollections.Chat.getModelsArray', 'WAWebQueryExistsJob'] },
    });
    const product = stage.start();
    const call = apiCaller(() => product);
    try {
      await product.post('/api/auth/start');
      await stage.whatsApp.phone.scanCurrent();
      const { page, last_error } = await product.until((s) => s.ready, 'ready');
      assert.equal(page?.capabilities.chats, 'broken');
      assert.equal(page?.capabilities.send, 'degraded');
      assert.match(last_error ?? '', /chats broken/);
      const chats = await call('/api/chats');
      assert.deepEqual([chats.status, chats.body.error.code], [501, 'not_supported_by_page']);
      assert.match(chats.body.error.message, new RegExp(String(page?.version).replaceAll('.', '\\.')));
      const number = await call('/api/numbers/15550002222');
      assert.deepEqual([number.status, number.body.error.code], [501, 'not_supported_by_page']);
      const sent = await call<OutputOf<'send'>>('/api/send', {
        phone_number: '15550002222',
        message: 'all the same',
      });
      assert.equal(sent.status, 200, JSON.stringify(sent.body));
      await eventually(async () => {
        const metrics = await (await product.get('/metrics')).text();
        assert.match(metrics, /holdline_page_capability\{[^}]*capability="chats"[^}]*\} 0/);
        return true;
      });
    } finally {
      await stage.close();
    }
  });

  it('is incompatible and never ready when it cannot send', async () => {
    const stage = await Stage.open({ page: { missing: ['WAWebSendMsgChatAction.addAndSendMsgToChat'] } });
    const product = stage.start();
    try {
      await product.post('/api/auth/start');
      await stage.whatsApp.phone.scanCurrent();
      const { last_error, ready } = await product.until((s) => s.state === 'disconnected', 'given up');
      assert.equal(ready, false);
      assert.match(last_error ?? '', /^incompatible WhatsApp Web page: .*addAndSendMsgToChat is missing/);
      // The second look confirms it. The next one is far away, so requests do not wait for it.
      await product.until((s) => s.state === 'disconnected' && s.restarts > 0, 'given up again');
      const chats = await apiCaller(() => product)('/api/chats');
      assert.deepEqual([chats.status, chats.body.error.code], [501, 'not_supported_by_page']);
      assert.match(
        chats.body.error.message,
        /addAndSendMsgToChat is missing.*; the session tries again 900 s/,
      );
    } finally {
      await stage.close();
    }
  });

  it('needs no second scan, even when it syncs before the session worker sees the link', async () => {
    const page = { missing: ['WAWebSendMsgChatAction.addAndSendMsgToChat'] };
    const { stage, product } = await open({ watchIntervalMs: 60_000 }, { page });
    try {
      await stage.whatsApp.phone.scanCurrent();
      const next = await product.until((s) => s.restarts > 0 && s.state !== 'starting', 'the next look');
      assert.equal(next.has_qr, false);
      const { last_error } = await product.until((s) => s.state === 'disconnected', 'given up again');
      assert.match(last_error ?? '', /^incompatible WhatsApp Web page: .*addAndSendMsgToChat is missing/);
    } finally {
      await stage.close();
    }
  });
});

describe('a pinned version that is not available', () => {
  it('is named in last_error, and opens no page', async () => {
    const stage = await Stage.open();
    const product = stage.start('all', { WHATSAPP_WEB_VERSION: '2.3000.1099999999' });
    try {
      await product.post('/api/auth/start');
      const { last_error } = await product.until((s) => s.last_error !== null, 'an error in the status');
      assert.match(last_error ?? '', /^WHATSAPP_WEB_VERSION pins WhatsApp Web 2\.3000\.1099999999/);
      assert.equal((await stage.whatsApp.phone.state()).pagesEver, 0);
    } finally {
      await stage.close();
    }
  });
});

describe('a read while WhatsApp cannot be reached', () => {
  it('says so at once if no phone is linked', async () => {
    const stage = await Stage.open();
    const resolver = '--host-resolver-rules="MAP web.whatsapp.com ~NOTFOUND"';
    const product = stage.start('all', { WHATSAPP_CHROME_ARGS: resolver });
    try {
      await product.post('/api/auth/start');
      await product.until((s) => s.state === 'disconnected', 'a failed start');
      const read = apiCaller(() => product)<{ error: { code: string; message: string; state: string } }>;
      // The pause before the next try may be over, but its page fails as fast.
      const { status, body } = await read('/api/chats', undefined, { prefer: 'wait=120' });
      assert.deepEqual([status, body.error.code], [503, 'session_not_ready']);
      assert.match(body.error.message, /^no phone is linked; .* its name could not be resolved/);
      assert.match(body.error.state, /^(disconnected|starting)$/);
    } finally {
      await stage.close();
    }
  });
});
