import { z } from 'zod';

/** WhatsApp's things as the API shows them: what is accepted of a caller, what is told of chats and messages. */

const phoneNumberRule = 'phone_number must include country code and contain 8-15 digits';

/** Any text with 8-15 digits in it; the output is the digits alone. */
export const phoneNumberSchema = z
  .string({ error: phoneNumberRule })
  .max(64, { error: phoneNumberRule })
  .transform((text) => text.replace(/\D/g, ''))
  .refine((digits) => digits.length >= 8 && digits.length <= 15, { error: phoneNumberRule })
  .describe('with country code; 8-15 digits, everything else is dropped');

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
});

export type Chat = z.infer<typeof chatSchema>;

/** The id of a one-to-one chat. */
export function chatIdOf(digits: string): string {
  return `${digits}@c.us`;
}
