import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CapabilityName, capabilityNames } from '../../../../../src/contract/page.js';
import { pageNeeds } from '../../../../../src/contract/page-needs.js';
import { unconfigured } from '../../../../../src/contract/session-record.js';
import { brokenSentence, describePage } from '../../../../../src/session-worker/page-status.js';
import type { RepairResult } from '../../../../../src/session-worker/whatsapp/in-page/repairs.js';
import type { PageExamination } from '../../../../../src/session-worker/whatsapp/in-page/self-test.js';
import { chatOf, type FakePage, fakePage, messageOf } from '../../../../support/fake-page.js';

type Change = (page: FakePage) => void;

/** Removes a member or the whole module. */
function without(path: string): Change {
  return ({ modules }) => {
    const [module = '', ...rest] = path.split('.');
    const last = rest.pop();
    if (last === undefined) {
      delete modules[module];
      return;
    }
    const holder = rest.reduce<Record<string, unknown>>(
      (value, name) => value[name] as Record<string, unknown>,
      modules[module] as Record<string, unknown>,
    );
    delete holder[last];
  };
}

async function examine(page: FakePage) {
  const examination = await page.value<PageExamination>('setUpSyncedPage', {
    needs: pageNeeds,
    ignore: unconfigured.ignore,
  });
  return { findings: examination.findings, status: describePage(examination) };
}

function pageWithChat(field?: string): FakePage {
  const page = fakePage(field);
  const message = messageOf('123456@lid', 'A1', {}, field);
  const collections = page.modules.WAWebCollections as {
    Chat: { add(chat: unknown): void };
    Msg: { add(message: unknown): void };
  };
  collections.Chat.add(chatOf('123456@lid', { messages: [message] }));
  collections.Msg.add(message);
  return page;
}

describe('the self-test', () => {
  for (const field of ['_serialized', '$1', '$7']) {
    it(`finds no problem in a page whose keys have their text in ${field}`, async () => {
      const { status } = await examine(pageWithChat(field));
      assert.deepEqual(
        capabilityNames.filter((name) => status.capabilities[name] !== 'ok'),
        [],
      );
      assert.equal(status.problem, null);
      assert.equal(status.version, '2.3000.1044822804');
    });
  }

  /** Possible changes of WhatsApp, with the capabilities that are then broken and degraded. */
  const futures: [string, Change, CapabilityName[], CapabilityName[]][] = [
    [
      'keys have no text at all',
      (page) => Object.assign(page.modules, { WAWebMsgKey: class {} }),
      ['send', 'acks'],
      [],
    ],
    ['keys are gone', without('WAWebMsgKey'), ['send', 'acks'], []],
    ['messages cannot be handed over', without('WAWebSendMsgChatAction'), ['send'], []],
    [
      'chats cannot be opened',
      without('WAWebFindChatAction.findOrCreateLatestChat'),
      ['send', 'messages'],
      [],
    ],
    ['messages cannot be listened to', without('WAWebCollections.Msg.on'), ['receive', 'acks'], []],
    ['messages are not found by their ids', without('WAWebCollections.Msg.getMessagesById'), ['send'], []],
    ['chats cannot be listed', without('WAWebCollections.Chat.getModelsArray'), ['chats'], []],
    ['numbers cannot be looked up', without('WAWebQueryExistsJob'), [], ['send']],
    ['earlier messages cannot be loaded', without('WAWebChatLoadMessages.loadEarlierMsgs'), [], ['messages']],
    ['hidden ids cannot be translated', without('WAWebLidMigrationUtils'), [], ['chats', 'messages']],
    ['pairing is gone', without('WAWebAltDeviceLinkingApi'), ['pairing'], []],
    ['a logout is not reported', without('WAWebUnpairDeviceJob'), [], ['logout']],
    ['there is no logout', without('WAWebSocketModel.Socket.logout'), ['logout'], []],
    ['media cannot be uploaded', without('WAWebMediaMmsV4Upload.uploadMedia'), ['media'], []],
  ];
  for (const [future, change, broken, degraded] of futures) {
    it(`names the broken and degraded capabilities when ${future}`, async () => {
      const page = pageWithChat();
      change(page);
      const { status } = await examine(page);
      const withLevel = (capability: string) =>
        capabilityNames.filter((name) => status.capabilities[name] === capability);
      assert.deepEqual([withLevel('broken'), withLevel('degraded')], [broken, degraded]);
      for (const name of [...broken, ...degraded])
        assert.match(status.problem ?? '', new RegExp(`${name} (broken|degraded)`));
      assert.match(status.problem ?? '', /2\.3000\.1044822804/);
    });
  }

  it('ignores a single malformed chat or message', async () => {
    const page = pageWithChat();
    const { Chat } = page.modules.WAWebCollections as { Chat: { add(chat: unknown): void } };
    Chat.add(chatOf('1@lid', { id: null, messages: [messageOf('1@lid', 'A', { id: null })] }));
    const { status } = await examine(page);
    assert.equal(status.problem, null);
  });

  it('names only broken capabilities in an error', async () => {
    const page = pageWithChat();
    without('WAWebUnpairDeviceJob')(page);
    const degraded = await examine(page);
    assert.equal(brokenSentence(degraded.status, degraded.findings), null);
    without('WAWebCollections.Chat.getModelsArray')(page);
    const broken = await examine(page);
    assert.match(
      brokenSentence(broken.status, broken.findings) ?? '',
      /chats broken \(WAWebCollections\.Chat\.getModelsArray is missing\)/,
    );
  });
});

describe('page repairs', () => {
  it('restore the key text in the field that the library reads', async () => {
    const page = pageWithChat('$9');
    const { status } = await examine(page);
    assert.ok(status.repairs.includes('message-key'));
    const key = messageOf('123456@lid', 'B2', {}, '$9').id as {
      _serialized?: unknown;
      constructor: { prototype: object };
    };
    const Repaired = page.modules.WAWebMsgKey as unknown as new (parts: unknown) => { _serialized: unknown };
    const made = new Repaired({ to: key.constructor.prototype, id: 'B2', selfDir: 'in' });
    assert.equal(typeof made._serialized, 'string');
  });

  it('restore the function that requests fresh codes', async () => {
    const page = pageWithChat();
    let asked = 0;
    page.modules.WAWebLaunchSocketUtils = { refreshQR: () => asked++ };
    const { status } = await examine(page);
    assert.ok(status.repairs.includes('refresh-qr'));
    (page.modules.WAWebCmd as { Cmd: { refreshQR(): void } }).Cmd.refreshQR();
    assert.equal(asked, 1);
  });

  it('leave a healthy page alone, and are applied once', async () => {
    const page = pageWithChat('_serialized');
    page.modules.WAWebCmd = { Cmd: { refreshQR: () => undefined } };
    assert.deepEqual((await examine(page)).status.repairs, []);
    const again = pageWithChat();
    assert.deepEqual((await examine(again)).status.repairs, (await examine(again)).status.repairs);
  });

  it('are independent: one that fails does not prevent the others', async () => {
    const page = pageWithChat();
    page.modules.WAWebMsgKey = Object.freeze(class {}) as never;
    Object.freeze((page.modules.WAWebMsgKey as unknown as { prototype: object }).prototype);
    const repairs = await page.value<RepairResult[]>('repairPage');
    const failed = repairs.find(({ name }) => name === 'message-key');
    assert.equal(failed?.result, 'failed');
    assert.ok((failed?.reason ?? '').length > 0);
    assert.equal(repairs.find(({ name }) => name === 'refresh-qr')?.result, 'applied');
  });
});
