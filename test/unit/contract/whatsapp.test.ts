import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chatIdSchema, phoneNumberSchema, recipientIdSchema } from '../../../src/contract/whatsapp.js';

const countRule = 'phone_number must include country code and contain 8-15 digits';
const signsRule = `${countRule}; it may be written with + - . ( ) / and spaces, and an id such as …@c.us is no phone number`;

/** The digits, or the error messages. */
function read(text: unknown): string {
  const { data, error } = phoneNumberSchema.safeParse(text);
  return data ?? error?.issues.map(({ message }) => message).join() ?? '';
}

describe('a phone number', () => {
  for (const [written, digits] of [
    ['15551234567', '15551234567'],
    [15_551_234_567, '15551234567'],
    ['+15551234567', '15551234567'],
    ['+1 (555) 123-4567', '15551234567'],
    ['  +1.555.123.4567 ', '15551234567'],
    ['0015551234567', '15551234567'],
    ['00 1 555 123 4567', '15551234567'],
    ['00 00 1 555 123 4567', '15551234567'],
    ['+0044 20 7946 0000', '442079460000'],
    ['(00)44 20 7946 0000', '442079460000'],
    ['+44 (0)20 7946 0000', '442079460000'],
    ['+49 ( 0 ) 151/123-45.67', '491511234567'],
    ['0049(0)1511234567', '491511234567'],
    ['tel:+1-555-123-4567', '15551234567'],
    ['TEL: 00 1 555 1234567', '15551234567'],
    // Zeros that are no prefix stay. So does a 0 without brackets: it may belong to the number.
    ['10012345678', '10012345678'],
    ['+49 0 1511234567', '4901511234567'],
    ['12345678', '12345678'],
    ['123456789012345', '123456789012345'],
    ['00123456789012345', '123456789012345'],
    // As address books copy them: direction marks, non-breaking hyphens and spaces.
    ['\u202a+1\u00a0(555)\u00a0123\u20114567\u202c', '15551234567'],
    ['\u2068+49\u2009151\u20131234567\u2069', '491511234567'],
    ['+1\u2212555\u22121234567\u200b', '15551234567'],
    ['\ufefftel:+15551234567', '15551234567'],
  ] as const) {
    it(`${JSON.stringify(written)} is ${digits}`, () => assert.equal(read(written), digits));
  }

  for (const [written, rule] of [
    ['', countRule],
    ['   ', countRule],
    ['+', countRule],
    ['tel:', countRule],
    ['00', countRule],
    ['0000', countRule],
    ['(0)', countRule],
    ['1234567', countRule],
    ['001234567', countRule],
    ['1234567(0)', countRule],
    ['1234567890123456', countRule],
    ['15557770003 ext 12', signsRule],
    ['15557770003x12', signsRule],
    ['15557770003#12', signsRule],
    ['15557770003,12', signsRule],
    ['15557770003;ext=12', signsRule],
    ['tel:tel:15551234567', signsRule],
    ['sms:15551234567', signsRule],
    ['15551234567tel:', signsRule],
    ['98765432101234@lid', signsRule],
    ['15551234567@c.us', signsRule],
    ['15551234567@', signsRule],
    ['15551234567:3', signsRule],
    ['１５５５１２３４５６７', signsRule],
    ['＋15551234567', signsRule],
    ['١٥٥٥١٢٣٤٥٦٧', signsRule],
    ['15551234567☎', signsRule],
    ['1555123456O', signsRule],
    ['15551234567\u0000', signsRule],
    [`${'1'.repeat(8)}${' '.repeat(57)}`, countRule],
    [1_234_567, countRule],
    [15551234567.5, `${countRule}; write it as text`],
    [null, `${countRule}; write it as text`],
    [undefined, countRule],
  ] as const) {
    it(`${JSON.stringify(written)} is refused`, () => assert.equal(read(written), rule));
  }

  /** A number with a country code, and signs that may be anywhere in it. */
  const number = fc.stringMatching(/^[1-9]\d{7,14}$/);
  const signs = fc.string({ unit: fc.constantFrom(...'+-./ \t\u00a0\u2011\u202a'), maxLength: 2 });
  const written = fc
    .tuple(
      number,
      fc.array(signs, { minLength: 16, maxLength: 16 }),
      fc.constantFrom('', '+', '00', 'tel:', 'tel:+', '00 (0)'),
    )
    .map(([digits, between, before]) => ({
      digits,
      text: before + [...digits].map((digit, i) => digit + between[i]).join(''),
    }));

  it('is its digits in every spelling, and the digits parse to themselves', () => {
    fc.assert(
      fc.property(written, ({ digits, text }) => {
        if (text.length > 64) return;
        assert.equal(read(text), digits);
        assert.equal(read(digits), digits);
      }),
      { numRuns: 5_000 },
    );
  });

  it('with one letter, @ or other sign anywhere is refused', () => {
    const stranger = fc.constantFrom(...'aZé@#*;,:_&=%"\'\\ßЖ１٣中😀');
    fc.assert(
      fc.property(number, stranger, fc.nat(15), (digits, sign, at) => {
        assert.equal(read(digits.slice(0, at) + sign + digits.slice(at)), signsRule);
      }),
      { numRuns: 5_000 },
    );
  });

  it('from any text is 8-15 digits that parse to themselves, or one error sentence', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: fc.constantFrom(...'0123(0) +tel:@') }),
    );
    fc.assert(
      fc.property(text, (any) => {
        const answer = read(any);
        assert.ok(/^\d{8,15}$/.test(answer) || [countRule, signsRule].includes(answer));
        if (/^\d/.test(answer)) assert.equal(read(answer), answer);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('an id of WhatsApp', () => {
  const [person, lid, group, old, channel] = [
    ...['15551234567@c.us', '98765432101234@lid', '120363000000000001@g.us'],
    ...['15551234567-1400000000@g.us', '120363000000000002@newsletter'],
  ] as const;

  it('is of a person or a group for a send, and of a channel too for a read', () => {
    for (const id of [person, lid, group, old]) {
      assert.equal(recipientIdSchema.parse(id), id);
      assert.equal(chatIdSchema.parse(id), id);
    }
    assert.equal(recipientIdSchema.safeParse(channel).success, false);
    assert.equal(chatIdSchema.parse(channel), channel);
  });

  it('has no other form', () => {
    const strange = [
      ...['', '@lid', '15551234567', '+15551234567@c.us', '1 @lid', '1@lid ', '\n1@lid', '1@lid\n', '1@Lid'],
      ...['1@lid@lid', '1:2@lid', '1:2@c.us', '1-2@c.us', '1-2@lid', '1-@g.us', '-1@g.us', '1-2-3@g.us'],
      ...[
        'status@broadcast',
        '1@broadcast',
        '1@s.whatsapp.net',
        '1@hosted',
        '1@call',
        '1@c.us.evil',
        '１@lid',
      ],
      ...['true_1@c.us_3EB0', `${'1'.repeat(33)}@lid`, null, 1, ['1@lid'], { _serialized: '1@lid' }],
    ];
    for (const id of strange) {
      for (const schema of [recipientIdSchema, chatIdSchema]) {
        const { error } = schema.safeParse(id);
        assert.match(
          error?.issues[0]?.message ?? '',
          /^chat_id must be an id as the answers give it/,
          String(id),
        );
      }
    }
  });
});
