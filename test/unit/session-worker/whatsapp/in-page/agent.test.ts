import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { unconfigured } from '../../../../../src/contract/session-record.js';
import { deferred } from '../../../../../src/platform/deadline.js';
import type { ChatWithLast } from '../../../../../src/session-worker/whatsapp/in-page/chats.js';
import type { PageMessage } from '../../../../../src/session-worker/whatsapp/in-page/descriptions.js';
import type { KeyedText, PageSent } from '../../../../../src/session-worker/whatsapp/in-page/sending.js';
import { chatOf, type FakePage, fakePage, messageOf } from '../../../../support/fake-page.js';

const lid = '123456@lid';

// biome-ignore lint/suspicious/noExplicitAny: the page's collections, which have no types.
type Collections = any;

function collections(page: FakePage): Collections {
  return page.modules.WAWebCollections;
}

function withChat(page: FakePage, attributes: Record<string, unknown>, id = lid): void {
  collections(page).Chat.add(chatOf(id, attributes));
}

async function messagesOf(page: FakePage, limit = 10): Promise<PageMessage[]> {
  return (await page.value<{ messages: PageMessage[] }>('readMessages', { chatId: lid, limit })).messages;
}

describe('the id of a message', () => {
  for (const field of ['_serialized', '$1', '$2', 'anythingElse']) {
    it(`is read from the field ${field}`, async () => {
      const page = fakePage(field);
      withChat(page, { messages: [messageOf(lid, 'A1', {}, field)] });
      assert.equal((await messagesOf(page))[0]?.id, `false_${lid}_A1`);
    });
  }

  it('is composed of its parts when the page has no text of it', async () => {
    const page = fakePage();
    withChat(page, { messages: [{ ...messageOf(lid, 'A1'), id: { fromMe: false, remote: lid, id: 'A1' } }] });
    assert.equal((await messagesOf(page))[0]?.id, `false_${lid}_A1`);
  });
});

describe('a list of messages', () => {
  it('marks the texts of which it shows only the beginning', async () => {
    const page = fakePage();
    const bodies = ['x'.repeat(1_000_000), 'x'.repeat(65_536)];
    withChat(page, { messages: bodies.map((body, i) => messageOf(lid, `A${i}`, { body })) });
    const messages = await messagesOf(page);
    assert.deepEqual(
      messages.map(({ isTruncated, body }) => [isTruncated, body.length < 80_000]),
      [
        [true, true],
        [false, true],
      ],
    );
  });

  it('includes malformed messages as far as they are readable, and all others', async () => {
    const page = fakePage();
    const malformed = [
      messageOf(lid, 'A1', { id: null }),
      messageOf(lid, 'A2', { t: undefined }),
      messageOf(lid, 'A3', { body: { thumbnail: true } }),
      messageOf(lid, 'A4', { from: 7, author: [], type: 9 }),
      Object.defineProperty(messageOf(lid, 'A5'), 'body', {
        get: () => {
          throw new Error('no body');
        },
      }),
    ];
    withChat(page, { messages: [...malformed, messageOf(lid, 'A6')] });
    const messages = await messagesOf(page);
    assert.equal(messages.length, 6);
    assert.equal(messages.at(-1)?.id, `false_${lid}_A6`);
    assert.deepEqual(
      messages.map(({ body }) => body),
      ['Hello', 'Hello', '', 'Hello', '', 'Hello'],
    );
  });

  it('has the messages in memory when earlier ones cannot be loaded', async () => {
    const page = fakePage();
    withChat(page, { messages: [messageOf(lid, 'A1')] });
    page.modules.WAWebChatLoadMessages = {
      loadEarlierMsgs: async () => {
        throw new Error('no history');
      },
    };
    assert.equal((await messagesOf(page)).length, 1);
  });

  const encoded = '/9j/4AAQSkZJRgABAQAAAQABAAD'.repeat(200);
  const bodies: [string, Record<string, unknown>, string][] = [
    [
      'the place of a location',
      { type: 'location', body: encoded, loc: 'Town hall\nMain street 1' },
      'Town hall\nMain street 1',
    ],
    ['nothing of a location without a name', { type: 'location', body: encoded }, ''],
    ['the caption of a picture', { type: 'image', mediaKey: 'k', body: encoded, caption: 'Look' }, 'Look'],
    ['nothing of a picture without its key', { type: 'image', body: encoded }, ''],
    ['the question of a poll', { type: 'poll_creation', body: '', pollName: 'Tea?' }, 'Tea?'],
    ['the name of a contact', { type: 'vcard', body: 'BEGIN:VCARD', vcardFormattedName: 'Ada' }, 'Ada'],
    ['no thumbnail of an unknown type', { type: 'something_new', body: encoded }, ''],
    ['the text of an unknown type', { type: 'something_new', body: 'Press 1 or 2' }, 'Press 1 or 2'],
    ['a text unchanged, although it looks encoded', { type: 'chat', body: encoded }, encoded],
  ];
  for (const [what, attributes, body] of bodies) {
    it(`has ${what} as the body`, async () => {
      const page = fakePage();
      withChat(page, { messages: [messageOf(lid, 'A1', attributes)] });
      assert.equal((await messagesOf(page))[0]?.body, body);
    });
  }
});

describe('the list of chats', () => {
  it('has the newest first, and requests no group metadata', async () => {
    const page = fakePage();
    let asked = 0;
    for (let i = 0; i < 300; i++) {
      const update = () => {
        asked++;
      };
      withChat(page, { t: i, groupMetadata: { subject: `G${i}`, update } }, `1${i}@g.us`);
    }
    const chats = await page.value<ChatWithLast[]>('readChats', { limit: 2 });
    assert.deepEqual(
      chats.map(({ id }) => id),
      ['1299@g.us', '1298@g.us'],
    );
    assert.equal(asked, 0);
  });

  it('includes malformed chats as far as they are readable', async () => {
    const page = fakePage();
    withChat(
      page,
      { t: 3, lastReceivedKey: {}, msgs: null, formattedTitle: 9, unreadCount: 'many' },
      '1@lid',
    );
    withChat(page, { t: 2, lastReceivedKey: { _serialized: undefined } }, '2@lid');
    withChat(page, { t: 'yesterday' }, '3@lid');
    const chats = await page.value<ChatWithLast[]>('readChats', { limit: 20 });
    assert.deepEqual(
      chats.map(({ id }) => id),
      ['1@lid', '2@lid', '3@lid'],
    );
    assert.equal(chats[0]?.unreadCount, 0);
    assert.equal(chats[0]?.name, null);
  });

  it('has no stories', async () => {
    const page = fakePage();
    withChat(page, {}, 'status@broadcast');
    assert.deepEqual(await page.value('readChats', { limit: 20 }), []);
  });
});

describe('sending', () => {
  const text = (attributes: Partial<KeyedText> = {}): KeyedText => ({
    chatId: lid,
    jobId: 'm-1',
    keyId: '3EB0AA',
    messageId: `true_${lid}_3EB0AA`,
    message: 'Hello',
    linkPreview: true,
    markSeen: true,
    ...attributes,
  });
  const send = (page: FakePage, texts: KeyedText[], notAfter = Date.now() + 60_000) =>
    page.value<PageSent[]>('sendTexts', { messages: texts, notAfter });

  function countSends(
    page: FakePage,
    added: () => Promise<unknown> = async () => ({}),
  ): { count: number; last: unknown } {
    const sent: { count: number; last: unknown } = { count: 0, last: null };
    page.modules.WAWebSendMsgChatAction = {
      addAndSendMsgToChat: (_: unknown, message: unknown) => {
        sent.count++;
        sent.last = message;
        return [added(), added()];
      },
    };
    return sent;
  }

  it('goes on when marking as seen and the preview fail', async () => {
    const page = fakePage();
    const refuse = () => {
      throw new Error('markedUnread');
    };
    page.modules.WAWebUpdateUnreadChatAction = { sendSeen: refuse };
    page.modules.WAWebLinkPreviewChatAction = { getLinkPreview: async () => refuse() };
    const sent = countSends(page);
    assert.deepEqual(await send(page, [text({ message: 'see https://example.org' })]), [{ type: 'sent' }]);
    assert.equal(sent.count, 1);
  });

  it('adds a preview unless link_preview is false', async () => {
    const page = fakePage();
    const sent = countSends(page);
    await send(page, [text({ message: 'https://example.org' })]);
    assert.equal((sent.last as { title?: string }).title, 'A page');
    await send(page, [
      text({ message: 'https://example.org', keyId: 'B', messageId: `true_${lid}_B`, linkPreview: false }),
    ]);
    assert.equal((sent.last as { title?: string }).title, undefined);
  });

  it('marks a chat as seen unless mark_seen is false', async () => {
    const page = fakePage();
    let seen = 0;
    page.modules.WAWebUpdateUnreadChatAction = { sendSeen: async () => seen++ };
    await send(page, [text({ markSeen: false })]);
    assert.equal(seen, 0);
    await send(page, [text({ keyId: 'B', messageId: `true_${lid}_B` })]);
    assert.equal(seen, 1);
  });

  it('checks the deadline just before the send', async () => {
    const page = fakePage();
    const sent = countSends(page);
    assert.deepEqual(await send(page, [text()], Date.now() - 1), [{ type: 'late' }]);
    assert.equal(sent.count, 0);
  });

  it('never sends the same message twice at once', async () => {
    const page = fakePage();
    const held = deferred<unknown>();
    const sent = countSends(page, () => held.promise);
    const both = [send(page, [text()]), send(page, [text()])];
    held.resolve({});
    assert.deepEqual(await Promise.all(both), [[{ type: 'sent' }], [{ type: 'sent' }]]);
    assert.equal(sent.count, 1);
  });

  it('reports a hanging send as pending each time, with the results of the others', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const page = fakePage();
    const endless = deferred<unknown>();
    let calls = 0;
    const sent = countSends(page, async () => (calls++ < 2 ? {} : endless.promise));
    const texts = ['A', 'B', 'C'].map((keyId) => text({ keyId, messageId: `true_${lid}_${keyId}` }));
    const first = send(page, texts);
    while (sent.count < 2) await new Promise(setImmediate);
    t.mock.timers.tick(20_000);
    assert.deepEqual(await first, [{ type: 'sent' }, { type: 'pending' }]);
    const again = send(page, texts.slice(1));
    await new Promise(setImmediate);
    t.mock.timers.tick(20_000);
    assert.deepEqual(await again, [{ type: 'pending' }]);
    assert.equal(sent.count, 2, 'no other send begins meanwhile');
    endless.resolve({});
    assert.deepEqual(await send(page, texts.slice(1)), [{ type: 'sent' }, { type: 'sent' }]);
  });

  it('does not send a message again that the page has', async () => {
    const page = fakePage();
    await send(page, [text()]);
    const sent = countSends(page);
    assert.deepEqual(await send(page, [text()]), [{ type: 'sent' }]);
    assert.equal(sent.count, 0);
  });

  it('reports the error of the page in words', async () => {
    const page = fakePage();
    page.modules.WAWebSendMsgChatAction = {
      addAndSendMsgToChat: () => {
        throw Object.assign(new Error('r'), { name: 'r', status: 479, text: 'smax-invalid' });
      },
    };
    const [answer] = await send(page, [text()]);
    assert.deepEqual(answer, { type: 'refused', message: '(status: 479, text: smax-invalid)' });
  });

  it('sends nothing when the message key differs from the prepared one', async () => {
    const page = fakePage();
    const sent = countSends(page);
    assert.deepEqual(await send(page, [text({ messageId: 'true_other@lid_3EB0AA' })]), [
      { type: 'key-differs' },
    ]);
    assert.equal(sent.count, 0);
  });
});

describe('a reaction', () => {
  const id = `false_${lid}_A1`;
  function withReactions(page: FakePage): [message: unknown, emoji: string][] {
    const reactions: [unknown, string][] = [];
    page.modules.WAWebSendReactionMsgAction = {
      sendReactionToMsg: async (message: { id: unknown }, emoji: string) =>
        void reactions.push([String(message.id), emoji]),
    };
    return reactions;
  }

  it('is put on the message with that id, whether it is in memory or in the store', async () => {
    const page = fakePage();
    const reactions = withReactions(page);
    const message = messageOf(lid, 'A1');
    collections(page).Msg.add(message);
    assert.equal(await page.value('react', { messageId: id, emoji: '👍' }), true);
    collections(page).Msg.get = () => undefined;
    collections(page).Msg.getMessagesById = async ([asked]: string[]) => ({
      messages: asked === id ? [message] : [],
    });
    assert.equal(await page.value('react', { messageId: id, emoji: '' }), true);
    assert.deepEqual(reactions, [
      [String(message.id), '👍'],
      [String(message.id), ''],
    ]);
  });

  it('is refused without a message of that id', async () => {
    const page = fakePage();
    const reactions = withReactions(page);
    assert.equal(await page.value('react', { messageId: id, emoji: '👍' }), false);
    assert.deepEqual(reactions, []);
  });

  it('says what the page lacks for it', async () => {
    const page = fakePage();
    delete page.modules.WAWebSendReactionMsgAction;
    assert.deepEqual(await page.call('react', { messageId: id, emoji: '👍' }), {
      type: 'error',
      kind: 'lacking',
      name: 'PageLacks',
      message: 'WAWebSendReactionMsgAction.sendReactionToMsg is missing',
    });
  });
});

describe('the message events of the page', () => {
  const until = async (page: FakePage, count: number) => {
    while (page.sentToNode.flatMap(({ events }) => events ?? []).length < count)
      await new Promise(setImmediate);
    return page.sentToNode.flatMap(
      ({ events }) => (events ?? []) as { type: string; message: PageMessage }[],
    );
  };

  it('have each incoming message once, in order, even for 1,500 at once', async () => {
    const page = fakePage();
    await page.call('listen', { ignore: unconfigured.ignore });
    for (let i = 0; i < 1_500; i++)
      collections(page).Msg.add(messageOf(lid, `K${i}`, { isNewMsg: true, body: `${i}` }));
    const events = await until(page, 1_500);
    assert.deepEqual(
      events.map(({ message }) => message.body),
      Array.from({ length: 1_500 }, (_, i) => `${i}`),
    );
    assert.ok(page.sentToNode.length < 20, 'in batches');
  });

  it('leave out stories, channels and own messages', async () => {
    const page = fakePage();
    await page.call('listen', { ignore: unconfigured.ignore });
    const { Msg } = collections(page);
    for (const id of ['status@broadcast', '1234@newsletter']) Msg.add(messageOf(id, 'S', { isNewMsg: true }));
    const own = messageOf(lid, 'OWN', { isNewMsg: true });
    Msg.add({ ...own, id: { ...(own.id as object), fromMe: true } });
    Msg.add(messageOf(lid, 'IN', { isNewMsg: true }));
    const events = await until(page, 1);
    assert.deepEqual(
      events.map(({ message }) => message.id),
      [`false_${lid}_IN`],
    );
  });

  for (const [ignore, told] of [
    [{ stories: false, channels: true, groups: false }, ['status@broadcast', '1-2@g.us', lid]],
    [{ stories: true, channels: false, groups: false }, ['1234@newsletter', '1-2@g.us', lid]],
    [{ stories: true, channels: true, groups: true }, [lid]],
    [{ stories: false, channels: false, groups: true }, ['status@broadcast', '1234@newsletter', lid]],
  ] as const) {
    it(`are those of the session's configuration: ${JSON.stringify(ignore)}`, async () => {
      const page = fakePage();
      await page.call('listen', { ignore });
      for (const id of ['status@broadcast', '7@broadcast', '1234@newsletter', '1-2@g.us', lid])
        collections(page).Msg.add(messageOf(id, 'K', { isNewMsg: true }));
      const events = await until(page, told.length);
      assert.deepEqual(
        events.map(({ message }) => message.chatId),
        told,
      );
    });
  }
});
