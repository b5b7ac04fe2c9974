import type { z } from 'zod';
import type { JobView } from '../../contract/command-jobs.js';
import type { OperationName, OutputOf, operations } from '../../contract/operations.js';
import type { PageStatus } from '../../contract/page.js';
import { composeStatus, type Status } from '../../contract/status.js';
import type { Chat, Message, Person } from '../../contract/whatsapp.js';

/** What each operation may be asked and answer; a row of the table without one is a type error. */
export type Examples = {
  readonly [Name in OperationName]: {
    readonly input: z.input<(typeof operations)[Name]['input']>;
    readonly output: OutputOf<Name>;
  };
};

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

const ready: Status = composeStatus(
  run,
  { state: 'ready', lastError: null, account, page },
  '2026-01-01T10:00:42.000Z',
);

const showsQr: Status = composeStatus(
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
const grace: Person = {
  ...{ id: '15551234567@c.us', phone: '15551234567', lid: '98765432105678@lid', name: 'Grace' },
};

const message: Message = {
  id: 'true_15551234567@c.us_3EB0C431C26A1916E07A',
  from: '15557654321@c.us',
  to: '15551234567@c.us',
  author: null,
  from_me: true,
  type: 'chat',
  body: 'See you at eight.',
  timestamp: 1767261700,
  has_media: false,
  chat_id: grace.id,
  sender: ada,
  is_truncated: false,
};

const chat: Chat = {
  id: '15551234567@c.us',
  name: 'Grace',
  is_group: false,
  is_read_only: false,
  unread_count: 0,
  timestamp: 1767261700,
  archived: false,
  pinned: false,
  muted: false,
  last_message: message,
  contact: grace,
};

const sent: OutputOf<'send'> = {
  ok: true,
  to: '15551234567',
  chat_id: '15551234567@c.us',
  message_id: message.id,
  timestamp: '2026-01-01T10:01:40.000Z',
};

const job: JobView = {
  ok: true,
  id: 'm-5f2b8c1e-6d0a-4f55-9a53-2f0c7c1d9e11',
  operation: 'send',
  status: 'sent',
  created_at: '2026-01-01T10:01:39.000Z',
  updated_at: '2026-01-01T10:01:40.000Z',
  expires_at: '2026-01-01T11:01:39.000Z',
  attempts: 1,
  result: sent,
  error: null,
};

export const queuedExample = {
  ...job,
  status: 'queued',
  attempts: 0,
  result: null,
  url: `http://127.0.0.1:8790/api/jobs/${job.id}`,
};

export const examples: Examples = {
  health: {
    input: {},
    output: {
      ok: true,
      name: 'holdline',
      mcp: 'http://127.0.0.1:8790/mcp',
      status: ready,
      credentials_backup: {
        enabled: true,
        reason: null,
        taken_at: '2026-01-15T09:30:12.345Z',
        bytes: 48_213,
      },
    },
  },
  status: { input: {}, output: ready },
  startAuth: { input: {}, output: showsQr },
  pairingCode: {
    input: { phone_number: '+1 555 765-4321' },
    output: {
      already_authenticated: false,
      phone_number: '15557654321',
      code: 'ABCD1234',
      instructions: 'WhatsApp -> Linked devices -> Link a device -> Link with phone number instead',
    },
  },
  send: { input: { phone_number: '+1 555 123-4567', message: message.body }, output: sent },
  job: { input: { id: job.id }, output: job },
  chats: { input: { limit: 20 }, output: { ok: true, count: 1, chats: [chat] } },
  messages: {
    input: { phone_number: '+1 555 123-4567', limit: 10 },
    output: { ok: true, chat, count: 1, messages: [message] },
  },
  number: {
    input: { phone_number: '+1 555 123-4567' },
    output: { ok: true, phone_number: '15551234567', exists: true, contact: grace },
  },
  stop: { input: {}, output: { ok: true } },
  qrLinks: {
    input: { ttl_s: 600 },
    output: {
      ok: true,
      url: 'http://127.0.0.1:8790/link/rdJx0eO4yM6JQO1kGQh2y4ZtT0m5V9oU8a3bC7dEfGh',
      expires_at: '2026-01-01T10:10:00.000Z',
    },
  },
  logout: { input: {}, output: { ok: true, unlinked: true } },
};
