import { z } from 'zod';

/** A code that links the phone of this number, instead of the QR. It is as secret as the QR. */
export const pairingCodeSchema = z.object({
  code: z.string(),
  phone_number: z.string(),
  expires_at: z.iso.datetime(),
});

export type PairingCode = z.infer<typeof pairingCodeSchema>;
