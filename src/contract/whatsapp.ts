import { z } from 'zod';

/** Numbers, ids, chats and messages in the API: the schemas of inputs and outputs. */

const phoneNumberRule = 'phone_number must include country code and contain 8-15 digits';

/**
 * Accepts a number as people write it: digits, the signs `+ - . ( ) /`, spaces, a leading `tel:`. The output is the digits
 * alone, without any leading `00` and without `(0)`; they parse to themselves. Other hyphens and invisible direction marks,
 * as in numbers copied from an address book, are accepted too.
 */
const writtenNumberSchema = z
  .string({
    error: ({ input }) => (input === undefined ? phoneNumberRule : `${phoneNumberRule}; write it as text`),
  })
  .max(64, { error: phoneNumberRule })
  .transform((text, context) => {
    const written = text
      .replace(/\p{Cf}/gu, '')
      .replace(/[\p{Pd}\u2212]/gu, '-')
      .trim()
      .replace(/^tel:/i, '');
    if (/[^\d\s+\-.()/]/.test(written)) {
      context.addIssue({
        code: 'custom',
        message: `${phoneNumberRule}; it may be written with + - . ( ) / and spaces, and an id such as …@c.us is no phone number`,
      });
      return z.NEVER;
    }
    return written
      .replace(/\(\s*0\s*\)/g, '')
      .replace(/\D/g, '')
      .replace(/^(00)+/, '');
  })
  .refine((digits) => digits.length >= 8 && digits.length <= 15, { error: phoneNumberRule });

/** Also takes the digits as a JSON number, as spreadsheets and scripts give them. */
export const phoneNumberSchema = z
  .preprocess(
    (value) => (Number.isSafeInteger(value) && Number(value) > 0 ? String(value) : value),
    writtenNumberSchema,
  )
  .describe('with country code; 8-15 digits, written with + - . ( ) / and spaces or without');

const chatIdRule = 'chat_id must be an id as the answers give it';

/** A chat to write to: a person or a group. */
export const recipientIdSchema = z
  .string({ error: chatIdRule })
  .max(128, { error: chatIdRule })
  .regex(/^\d{1,32}@(c\.us|lid)$|^\d{1,32}(-\d{1,32})?@g\.us$/, {
    error: `${chatIdRule}: …@c.us, …@lid or …@g.us`,
  })
  .describe('instead of phone_number: …@c.us, …@lid or …@g.us, as the answers give it');

/** A chat to read from: a person, a group or a channel. */
export const chatIdSchema = z
  .string({ error: chatIdRule })
  .max(128, { error: chatIdRule })
  .regex(/^\d{1,32}@(c\.us|lid|newsletter)$|^\d{1,32}(-\d{1,32})?@g\.us$/, {
    error: `${chatIdRule}: …@c.us, …@lid, …@g.us or …@newsletter`,
  })
  .describe('instead of phone_number: …@c.us, …@lid, …@g.us or …@newsletter, as the answers give it');

/** Exactly one of the two is given. */
export interface Recipient {
  /** Digits. */
  readonly phone_number?: string | undefined;
  readonly chat_id?: string | undefined;
}

function recipientProblem(given: Recipient): { path: string; message: string } | null {
  const hasNumber = given.phone_number !== undefined;
  const hasId = given.chat_id !== undefined;
  if (hasNumber && hasId) {
    return { path: 'chat_id', message: 'chat_id and phone_number exclude each other; give one of them' };
  }
  return hasNumber || hasId
    ? null
    : { path: 'phone_number', message: `${phoneNumberRule}, or give a chat_id` };
}

/** Options for a check across fields: it runs even if single fields are invalid, to report all problems at once. */
const despiteOtherIssues = {
  when: ({ value }: { readonly value: unknown }) => typeof value === 'object' && value !== null,
};

/** Requires exactly one of the fields `phone_number` and `chat_id`. */
export function withOneRecipient<Input extends z.ZodObject<RecipientFields>>(input: Input): Input {
  return input
    .superRefine((given, context) => {
      const problem = recipientProblem(given as Recipient);
      if (problem === null) return;
      context.addIssue({ code: 'custom', path: [problem.path], message: problem.message });
    }, despiteOtherIssues)
    .meta({ oneOf: [{ required: ['phone_number'] }, { required: ['chat_id'] }] });
}

interface RecipientFields {
  readonly phone_number: z.ZodOptional;
  readonly chat_id: z.ZodOptional;
  readonly [field: string]: z.ZodType;
}

/** The most chats or messages that a caller can ask for. */
export const maxLimit = 100;

const limitRule = `limit must be an integer between 1 and ${maxLimit}`;

export const limitSchema = z
  .int({ error: limitRule, abort: true })
  .min(1, { error: limitRule })
  .max(maxLimit, { error: limitRule })
  .describe('return at most this many');

const longestMessage = 65_536;

const messageRule = 'message must be a non-empty string';

/** Half of a surrogate pair cannot be sent: it has no form in UTF-8. Every other character is sent as it is. */
export const messageTextSchema = z
  .string({ error: messageRule })
  .min(1, { error: messageRule })
  .max(longestMessage, { error: `message must have at most ${longestMessage} characters` })
  .refine((text) => !/\p{Surrogate}/u.test(text), {
    error: 'message must be valid Unicode, without half of a surrogate pair',
  })
  .describe('sent as it is, line breaks included');

export const personSchema = z.object({
  id: z.string().describe('the id that WhatsApp uses: …@c.us or …@lid'),
  phone: z.string().nullable().describe('digits; null if WhatsApp does not reveal it'),
  lid: z.string().nullable().describe('…@lid; null if WhatsApp does not reveal it'),
  name: z.string().nullable(),
});

export type Person = z.infer<typeof personSchema>;

export const messageSchema = z.object({
  id: z.string(),
  from: z.string(),
  to: z.string(),
  author: z.string().nullable().describe('who wrote it, in a group'),
  from_me: z.boolean(),
  type: z.string(),
  body: z.string(),
  timestamp: z.int().nullable().describe('Unix seconds; the answer of a send has ISO 8601 instead'),
  has_media: z.boolean(),
  // Absent in answers from an owner of an earlier version.
  chat_id: z.string().default(''),
  sender: personSchema.nullable().default(null).describe('who wrote it; null if WhatsApp does not reveal it'),
  is_truncated: z.boolean().default(false).describe('`body` is only the beginning of the text'),
});

export type Message = z.infer<typeof messageSchema>;

export const chatSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  is_group: z.boolean(),
  is_read_only: z.boolean(),
  unread_count: z.int(),
  timestamp: z
    .int()
    .nullable()
    .describe('newest activity, Unix seconds; the answer of a send has ISO 8601 instead'),
  archived: z.boolean(),
  pinned: z.boolean(),
  muted: z.boolean(),
  last_message: messageSchema.nullable(),
  contact: personSchema.nullable().default(null).describe('of a chat with one person'),
});

export type Chat = z.infer<typeof chatSchema>;

/** The usual id of the person with this number. WhatsApp may resolve the number to another id, which then takes precedence. */
export function idOfNumber(digits: string): string {
  return `${digits}@c.us`;
}
