import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Replica, startReplica } from '../../../support/http-replica.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

const phoneRule = 'phone_number must include country code and contain 8-15 digits';
const signsRule = `${phoneRule}; it may be written with + - . ( ) / and spaces, and an id such as …@c.us is no phone number`;
const noRecipient = `${phoneRule}, or give a chat_id`;
const textRule = `${phoneRule}; write it as text`;
const unicodeRule = 'message must be valid Unicode, without half of a surrogate pair';
const limitRule = 'limit must be an integer between 1 and 100';
const messageRule = 'message must be a non-empty string';
const bothRule = 'chat_id and phone_number exclude each other; give one of them';
const idRule = 'chat_id must be an id as the answers give it';
const sendIdRule = `${idRule}: …@c.us, …@lid or …@g.us`;
const readIdRule = `${idRule}: …@c.us, …@lid, …@g.us or …@newsletter`;
const lengthRule = 'message must have at most 65536 characters';
const phone = '15551234567';

type Issue = readonly [path: string, message: string];
type Row = readonly [what: string, fields: Record<string, unknown>, ...issues: Issue[]];

const phones: readonly Row[] = [
  ['7 digits', { phone_number: '1234567' }, ['phone_number', phoneRule]],
  ['16 digits', { phone_number: '1234567890123456' }, ['phone_number', phoneRule]],
  ['7 digits among signs', { phone_number: 'tel:+1 (23) 45-6/7.' }, ['phone_number', phoneRule]],
  ['7 digits behind a 00', { phone_number: '00 1234567' }, ['phone_number', phoneRule]],
  ['7 digits around a (0)', { phone_number: '+12 (0) 34567' }, ['phone_number', phoneRule]],
  ['letters', { phone_number: 'call me maybe' }, ['phone_number', signsRule]],
  ['an extension', { phone_number: '15557770003 ext 12' }, ['phone_number', signsRule]],
  ['an id', { phone_number: '98765432101234@lid' }, ['phone_number', signsRule]],
  ['an empty phone', { phone_number: '' }, ['phone_number', phoneRule]],
  ['digits of another script', { phone_number: '١٢٣٤٥٦٧٨٩' }, ['phone_number', signsRule]],
  ['a phone of 65 characters', { phone_number: `15551234567${' '.repeat(54)}` }, ['phone_number', phoneRule]],
];

const typedPhones: readonly Row[] = [
  ...[null, true, [phone], { digits: phone }, 1555123456.5, 1e300].map(
    (value): Row => [
      `a phone that is ${JSON.stringify(value)}`,
      { phone_number: value },
      ['phone_number', textRule],
    ],
  ),
  ['a phone that is 1234567', { phone_number: 1_234_567 }, ['phone_number', phoneRule]],
  ['a phone that is negative', { phone_number: -15_551_234_567 }, ['phone_number', textRule]],
];

const limits: readonly Row[] = [0, -1, 101, 1.5, 1e300, null, true, '5', '', [5], {}].map((value) => [
  `a limit that is ${JSON.stringify(value)}`,
  { phone_number: phone, limit: value },
  ['limit', limitRule],
]);

/** Rows of operations that accept a chat_id instead of a phone_number. */
const recipients = (rule: string): readonly Row[] => [
  ['both recipients', { phone_number: phone, chat_id: '15551234567@c.us' }, ['chat_id', bothRule]],
  [
    'both, one of them wrong',
    { phone_number: 'x', chat_id: '1@lid' },
    ['phone_number', signsRule],
    ['chat_id', bothRule],
  ],
  ...[
    '',
    '15551234567',
    '@lid',
    'x@lid',
    '1@lid ',
    '1@LID',
    '1@lid@lid',
    '1:2@c.us',
    '+1@c.us',
    '1-@g.us',
    '1-2@c.us',
    '1@s.whatsapp.net',
    'status@broadcast',
    `${'1'.repeat(33)}@lid`,
  ].map((id): Row => [`the id ${JSON.stringify(id)}`, { chat_id: id }, ['chat_id', rule]]),
  [
    'an id of 129 characters',
    { chat_id: `${'1'.repeat(123)}@c.us ` },
    ['chat_id', idRule],
    ['chat_id', rule],
  ],
  ...[5, null, true, ['1@lid']].map(
    (id): Row => [`an id that is ${JSON.stringify(id)}`, { chat_id: id }, ['chat_id', idRule]],
  ),
];

const bodies: Readonly<Record<string, readonly Row[]>> = {
  '/api/pairing-code': [
    ['no phone', {}, ['phone_number', phoneRule]],
    ...phones,
    ...typedPhones,
    ['an unknown field', { phone_number: phone, code: 'x' }, ['code', 'unknown field']],
  ],
  '/api/messages': [
    ['no phone', {}, ['phone_number', noRecipient]],
    ...phones,
    ...typedPhones,
    ...limits,
    ...recipients(readIdRule),
    ['an unknown field', { phone_number: phone, offset: 1 }, ['offset', 'unknown field']],
    [
      'everything wrong',
      { limit: 0, x: 1 },
      ['phone_number', noRecipient],
      ['limit', limitRule],
      ['x', 'unknown field'],
    ],
  ],
  '/api/send': [
    ...[...phones, ...typedPhones].map(
      ([what, fields, ...issues]): Row => [what, { ...fields, message: 'x' }, ...issues],
    ),
    ...recipients(sendIdRule).map(
      ([what, fields, ...issues]): Row => [what, { ...fields, message: 'x' }, ...issues],
    ),
    ['a channel to write to', { chat_id: '1@newsletter', message: 'x' }, ['chat_id', sendIdRule]],
    ['nothing at all', {}, ['phone_number', noRecipient], ['message', messageRule]],
    ...['link_preview', 'mark_seen'].flatMap((field) =>
      ['true', 1, null].map(
        (value): Row => [
          `${field} that is ${JSON.stringify(value)}`,
          { phone_number: phone, message: 'x', [field]: value },
          [field, 'must be true or false'],
        ],
      ),
    ),
    ['no message', { phone_number: phone }, ['message', messageRule]],
    ['an empty message', { phone_number: phone, message: '' }, ['message', messageRule]],
    ...[5, null, false, ['x'], { text: 'x' }].map(
      (value): Row => [
        `a message that is ${JSON.stringify(value)}`,
        { phone_number: phone, message: value },
        ['message', messageRule],
      ],
    ),
    ...['half a pair \ud800', '\udc00', '\udc00\ud800'].map(
      (message): Row => [
        `a message that is ${JSON.stringify(message)}`,
        { phone_number: phone, message },
        ['message', unicodeRule],
      ],
    ),
    ['65,537 characters', { phone_number: phone, message: 'x'.repeat(65_537) }, ['message', lengthRule]],
    ['an unknown field', { phone_number: phone, message: 'x', media: 'y' }, ['media', 'unknown field']],
    [
      'a field that every object has',
      JSON.parse(`{"phone_number":"${phone}","message":"x","__proto__":{"a":1},"constructor":1}`),
      ['__proto__', 'unknown field'],
      ['constructor', 'unknown field'],
    ],
    [
      'everything wrong',
      { message: '', Message: 'x' },
      ['phone_number', noRecipient],
      ['message', messageRule],
      ['Message', 'unknown field'],
    ],
  ],
};

const queries: Readonly<Record<string, readonly (readonly [string, ...Issue[]])[]>> = {
  '/api/chats': [
    ...[
      '0',
      '-1',
      '101',
      '1.5',
      '1e1',
      '0x5',
      '',
      '%205',
      '5%20',
      '+5',
      'five',
      '99999999999999999999',
      '%D9%A5',
    ].map((limit) => [`limit=${limit}`, ['limit', limitRule]] as const),
    ['limit', ['limit', limitRule]],
    ['limit=5&limit=5', ['limit', 'given more than once']],
    ['limit=%', ['limit', 'broken percent-encoding']],
  ],
  '/api/messages': [
    ['', ['phone_number', noRecipient]],
    ['phone_number=1234567', ['phone_number', phoneRule]],
    ['phone_number=1234567890123456', ['phone_number', phoneRule]],
    [`phone_number=${phone}&limit=101`, ['limit', limitRule]],
    ['phone_number=x&limit=0', ['phone_number', signsRule], ['limit', limitRule]],
    ['limit=five', ['phone_number', noRecipient], ['limit', limitRule]],
    ['chat_id=1@lid&phone_number=15551234567', ['chat_id', bothRule]],
    ['chat_id=15551234567', ['chat_id', readIdRule]],
    ['chat_id=1@lid&chat_id=1@lid', ['chat_id', 'given more than once']],
  ],
};

interface ErrorBody {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly issues: readonly { path: string; message: string }[];
  };
}

describe('invalid input', () => {
  let server: RedisForData;
  let replica: Replica;

  before(async () => {
    server = await openRedis();
    replica = await startReplica(server.url);
  });
  after(async () => {
    await replica.close();
    await server.stop();
  });

  const post = (path: string, body: string | Buffer, type = 'application/json') =>
    replica.post(path, { body, headers: { 'content-type': type, prefer: 'wait=0' } });

  async function assertInvalid(response: Response, issues: readonly Issue[]): Promise<void> {
    const body = (await response.json()) as ErrorBody;
    assert.deepEqual([response.status, body.error.code], [400, 'invalid_request'], JSON.stringify(body));
    assert.deepEqual(
      body.error.issues.map(({ path, message }) => [path, message]).sort(),
      [...issues].sort(),
    );
    assert.match(body.error.message, /^.{1,400}$/);
    for (const part of issues.flat()) assert.ok(body.error.message.includes(part), body.error.message);
    assert.doesNotMatch(body.error.message, /\b(\w+): \1\b/, 'no name stands twice');
    assert.equal(response.headers.get('content-type'), 'application/json; charset=utf-8');
  }

  for (const [path, rows] of Object.entries(bodies)) {
    for (const [what, fields, ...issues] of rows) {
      it(`POST ${path}: ${what}`, async () => {
        await assertInvalid(await post(path, JSON.stringify(fields)), issues);
      });
    }

    it(`POST ${path}: a body that is not JSON, not an object or of another content type`, async () => {
      for (const [body, status, code, type] of [
        ['{', 400, 'invalid_json', undefined],
        ["{'phone_number':'15551234567'}", 400, 'invalid_json', undefined],
        [Buffer.from([0x7b, 0xff, 0x7d]), 400, 'invalid_json', undefined],
        ['[]', 400, 'invalid_request', undefined],
        ['"text"', 400, 'invalid_request', undefined],
        ['null', 400, 'invalid_request', undefined],
        ['{}', 415, 'unsupported_media_type', 'text/plain'],
        ['phone_number=15551234567', 415, 'unsupported_media_type', 'application/x-www-form-urlencoded'],
        [`{"message":"${'x'.repeat(1024 * 1024)}"}`, 413, 'body_too_large', undefined],
      ] as const) {
        const response = await post(path, body, type);
        const { error } = (await response.json()) as ErrorBody;
        assert.deepEqual([response.status, error.code], [status, code], String(body).slice(0, 40));
      }
    });

    it(`${path} refuses other methods`, async () => {
      for (const method of ['PUT', 'DELETE', 'PATCH', ...(path === '/api/messages' ? [] : ['GET'])]) {
        assert.equal((await replica.get(path, { method })).status, 405);
      }
    });
  }

  for (const [path, rows] of Object.entries(queries)) {
    for (const [query, ...issues] of rows) {
      it(`GET ${path}?${query}`, async () => {
        await assertInvalid(await replica.get(`${path}?${query}`, { headers: { prefer: 'wait=0' } }), issues);
      });
    }
  }

  it('valid input passes, and is refused only because no session runs: the control', async () => {
    for (const body of [
      { phone_number: '12345678', message: ' ' },
      { phone_number: '123456789012345', message: 'x'.repeat(65_536) },
      { phone_number: '+49 (0) 151/123-45.67', message: '\n' },
      { phone_number: 'tel:0049-151-1234567', message: 'x', link_preview: false, mark_seen: false },
      { chat_id: '98765432101234@lid', message: 'x' },
      { phone_number: 15_551_234_567, message: 'a pair: \ud83d\ude00' },
      { chat_id: '15551234567-1400000000@g.us', message: 'x', link_preview: true },
    ]) {
      const response = await post('/api/send', JSON.stringify(body));
      assert.equal(((await response.json()) as ErrorBody).error.code, 'session_not_started');
    }
    for (const path of [
      ...['/api/chats', '/api/chats?limit=1', '/api/chats?limit=100', '/api/chats?limit=007&utm=x'],
      `/api/messages?phone_number=%2B${phone}`,
      ...['1@c.us', '1@lid', '120363000000000001@g.us', '1@newsletter'].map(
        (id) => `/api/messages?chat_id=${id}`,
      ),
      ...[
        '15551234567',
        '+1(555)123-4567',
        '%2B1%20555%20123%204567',
        'tel:1.555.123.4567',
        '1%2F5551234567',
      ].map((number) => `/api/numbers/${number}`),
    ]) {
      const response = await replica.get(path);
      assert.equal(((await response.json()) as ErrorBody).error.code, 'session_not_started', path);
    }
  });
});
