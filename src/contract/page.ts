import { z } from 'zod';

/** The condition of the WhatsApp Web page that a session uses. WhatsApp may change the page at any time. */

/** The host that serves it. */
export const whatsAppHost = 'web.whatsapp.com';

/** What the page is used for. The self-test judges each capability; each operation needs some of them. */
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

/** `degraded`: a part is missing, and what needs that part gets 501. `broken`: everything that needs the capability gets 501. */
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

/** Folder in WHATSAPP_AUTH_DIR with start pages of WhatsApp Web, `<version>.html`. */
export const webVersionsFolder = '.web-versions';

/** Whether the text is a version in the form that WhatsApp Web uses. It is then safe as a file name. */
export function isWebVersion(text: string): boolean {
  return text.length <= 64 && /^\d+(\.\d+)+(-alpha|-beta)?$/.test(text);
}
