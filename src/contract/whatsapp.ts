import { z } from 'zod';

/** WhatsApp's things as the API shows them: what is accepted of a caller, what is told of chats and messages. */

const phoneNumberRule = 'phone_number must include country code and contain 8-15 digits';

/**
 * A number as people write it: digits, the signs `+ - . ( ) /` and spaces, a leading `tel:`. A leading `00` and a `(0)` go.
 * Numbers copied from an address book carry other hyphens and invisible marks of direction: these are no letters.
 * The output is the digits alone.
 */
export const phoneNumberSchema = z
  .string({ error: phoneNumberRule })
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
        message: `${phoneNumberRule}; it may be written with + - . ( ) / and spaces, and an id of WhatsApp goes into chat_id`,
      });
      return z.NEVER;
    }
    return written
      .replace(/\(\s*0\s*\)/g, '')
      .replace(/\D/g, '')
      .replace(/^00/, '');
  })
  .refine((digits) => digits.length >= 8 && digits.length <= 15, { error: phoneNumberRule })
  .describe('with country code; 8-15 digits, written with + - . ( ) / and spaces or without');

const chatIdRule = 'chat_id must be an id as the answers give it';

/** To write to: one person, or a group. */
export const recipientIdSchema = z
  .string({ error: chatIdRule })
  .max(128, { error: chatIdRule })
  .regex(/^\d{1,32}@(c\.us|lid)$|^\d{1,32}(-\d{1,32})?@g\.us$/, {
    error: `${chatIdRule}: …@c.us, …@lid or …@g.us`,
  })
  .describe('instead of phone_number: …@c.us, …@lid or …@g.us, as the answers give it');

/** To read from: channels too. */
export const chatIdSchema = z
  .string({ error: chatIdRule })
  .max(128, { error: chatIdRule })
  .regex(/^\d{1,32}@(c\.us|lid|newsletter)$|^\d{1,32}(-\d{1,32})?@g\.us$/, {
    error: `${chatIdRule}: …@c.us, …@lid, …@g.us or …@newsletter`,
  })
  .describe('instead of phone_number: …@c.us, …@lid, …@g.us or …@newsletter, as the answers give it');

/** Who or what is meant: exactly one of the two is given. */
export interface Recipient {
  /** Digits. */
  readonly phone_number?: string | undefined;
  readonly chat_id?: string | undefined;
}

/** What {@link exactlyOneRecipient} says of the input; null: it is well. */
function recipientProblem(given: Recipient): { path: string; message: string } | null {
  const hasNumber = given.phone_number !== undefined;
  const hasId = given.chat_id !== undefined;
  if (hasNumber && hasId) {
    return { path: 'chat_id', message: 'phone_number and chat_id exclude each other; give one of them' };
  }
  return hasNumber || hasId ? null : { path: 'phone_number', message: phoneNumberRule };
}

/** Options of that check: it runs beside the problems of single fields, so that all of them are told at once. */
export const besideOtherProblems = {
  when: ({ value }: { readonly value: unknown }) => typeof value === 'object' && value !== null,
};

/** A check for an object with `phone_number` and `chat_id`. */
export function exactlyOneRecipient(given: Recipient, context: z.core.$RefinementCtx): void {
  const problem = recipientProblem(given);
  if (problem === null) return;
  context.addIssue({ code: 'custom', path: [problem.path], message: problem.message });
}

const limitRule = 'limit must be an integer between 1 and 100';

export const limitSchema = z
  .int({ error: limitRule, abort: true })
  .min(1, { error: limitRule })
  .max(100, { error: limitRule })
  .describe('at most so many');

const longestMessage = 65_536;

export const messageTextSchema = z
  .string({ error: 'message must be a non-empty string' })
  .min(1, { error: 'message must be a non-empty string' })
  .max(longestMessage, { error: `message must have at most ${longestMessage} characters` })
  .describe('sent as it is, line breaks included');

export const personSchema = z.object({
  id: z.string().describe('as WhatsApp has it: …@c.us or …@lid'),
  phone: z.string().nullable().describe('digits; null where WhatsApp does not tell it'),
  lid: z.string().nullable().describe('…@lid; null where WhatsApp does not tell it'),
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
  timestamp: z.int().nullable().describe('Unix seconds'),
  has_media: z.boolean(),
  // What an owner of an earlier version answers has none of these.
  chat_id: z.string().default(''),
  sender: personSchema
    .nullable()
    .default(null)
    .describe('who wrote it; null where WhatsApp does not tell it'),
  is_truncated: z.boolean().default(false).describe('the text is longer than `body` tells'),
});

export type Message = z.infer<typeof messageSchema>;

export const chatSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  is_group: z.boolean(),
  is_read_only: z.boolean(),
  unread_count: z.int(),
  timestamp: z.int().nullable().describe('newest activity, Unix seconds'),
  archived: z.boolean(),
  pinned: z.boolean(),
  muted: z.boolean(),
  last_message: messageSchema.nullable(),
  contact: personSchema.nullable().default(null).describe('of a chat with one person'),
});

export type Chat = z.infer<typeof chatSchema>;

/** The id of a person by their number. WhatsApp may answer another one, which is then the one to use. */
export function idOfNumber(digits: string): string {
  return `${digits}@c.us`;
}
