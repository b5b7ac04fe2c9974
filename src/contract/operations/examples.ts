import type { z } from 'zod';
import type { JobView, sentSchema } from '../command-jobs.js';
import type { PageStatus } from '../page.js';
import { composeStatus, type Status } from '../status.js';
import type { Chat, Message, Person } from '../whatsapp.js';

/** The examples that several rows of the table use. */

const account = { wid: '15557654321@c.us', pushname: 'Ada', platform: 'android' };

const run = {
  ...{ auth_dir: '/srv/holdline/.wwebjs_auth', chrome_executable: '/usr/bin/chromium', headless: true },
  ...{ session: 'default', epoch: 1767261600000, incarnation: 1, restarts: 0, supervisor: 'host-1:4711' },
};

const page: PageStatus = {
  version: '2.3000.1043121234',
  capabilities: {
    ...{ qr: 'ok', pairing: 'ok', send: 'ok', receive: 'ok', acks: 'ok' },
    ...{ chats: 'ok', messages: 'degraded', media: 'ok', logout: 'ok' },
  },
  repairs: ['message-key', 'refresh-qr'],
  problem:
    'on WhatsApp Web 2.3000.1043121234: messages degraded (WAWebChatLoadMessages.loadEarlierMsgs is missing)',
};

export const readyStatus: Status = composeStatus(
  run,
  { state: 'ready', lastError: null, account, page },
  '2026-01-01T10:00:42.000Z',
);

export const statusWithQr: Status = composeStatus(
  run,
  {
    state: 'qr',
    lastError: null,
    account: null,
    qr: { number: 1, issued_at: '2026-01-01T10:00:05.000Z', expires_at: '2026-01-01T10:01:05.000Z' },
  },
  '2026-01-01T10:00:05.000Z',
);

const ada: Person = { id: account.wid, phone: '15557654321', lid: '98765432101234@lid', name: 'Ada' };
export const examplePerson: Person = {
  ...{ id: '15551234567@c.us', phone: '15551234567', lid: '98765432105678@lid', name: 'Grace' },
};

export const exampleMessage: Message = {
  id: 'true_15551234567@c.us_3EB0C431C26A1916E07A',
  from: '15557654321@c.us',
  to: '15551234567@c.us',
  author: null,
  from_me: true,
  type: 'chat',
  body: 'See you at eight.',
  timestamp: 1767261700,
  has_media: false,
  chat_id: examplePerson.id,
  sender: ada,
  is_truncated: false,
};

export const exampleChat: Chat = {
  id: '15551234567@c.us',
  name: 'Grace',
  is_group: false,
  is_read_only: false,
  unread_count: 0,
  timestamp: 1767261700,
  archived: false,
  pinned: false,
  muted: false,
  last_message: exampleMessage,
  contact: examplePerson,
};

export const exampleSent: z.infer<typeof sentSchema> = {
  ok: true,
  to: '15551234567',
  chat_id: '15551234567@c.us',
  message_id: exampleMessage.id,
  timestamp: '2026-01-01T10:01:40.000Z',
};

export const sentJob: JobView = {
  ok: true,
  id: 'm-5f2b8c1e-6d0a-4f55-9a53-2f0c7c1d9e11',
  operation: 'send',
  status: 'sent',
  created_at: '2026-01-01T10:01:39.000Z',
  updated_at: '2026-01-01T10:01:40.000Z',
  expires_at: '2026-01-01T11:01:39.000Z',
  attempts: 1,
  result: exampleSent,
  error: null,
};
