import { z } from 'zod';

/** What is known of the page of WhatsApp Web that a session runs on: WhatsApp changes it at any time. */

/** What the page is needed for. Each is judged by the self-test, and each operation needs some of them. */
export const capabilityNames = [
  'qr',
  'pairing',
  'send',
  'receive',
  'acks',
  'chats',
  'messages',
  'media',
  'logout',
] as const;

export type CapabilityName = (typeof capabilityNames)[number];

/** `degraded`: it works, with something left out. `broken`: an operation that needs it is answered 501. */
export const capabilitySchema = z.enum(['ok', 'degraded', 'broken']);

export type Capability = z.infer<typeof capabilitySchema>;

export type Capabilities = Readonly<Record<CapabilityName, Capability>>;

const capabilitiesSchema = z.object(
  Object.fromEntries(capabilityNames.map((name) => [name, capabilitySchema])) as Record<
    CapabilityName,
    typeof capabilitySchema
  >,
);

export const pageSchema = z.object({
  version: z.string().nullable().describe('of the page of WhatsApp Web'),
  capabilities: capabilitiesSchema,
  repairs: z.array(z.string()).describe('names of the page repairs that were applied'),
  problem: z.string().nullable().describe('what is broken or degraded, in a sentence'),
});

export type PageStatus = z.infer<typeof pageSchema>;
