import { z } from 'zod';

/**
 * A request to end a run. It is stored, not sent: the owner reads it with every heartbeat, and the next owner finds it when
 * it claims the session. So it is carried out once, even if an owner dies in between.
 */
export const intentSchema = z.object({ id: z.string(), kind: z.enum(['stop', 'logout']) });
export type Intent = z.infer<typeof intentSchema>;

/** The result of an intent. */
export const intentOutcomeSchema = z.object({
  id: z.string(),
  /** WhatsApp has got the logout. */
  unlinked: z.boolean(),
  /** Of a logout: why it is not `unlinked`, as a sentence. Absent in outcomes of earlier versions. */
  reason: z.string().nullable().default(null),
});
export type IntentOutcome = z.infer<typeof intentOutcomeSchema>;

/** What a logout achieved. */
export type LogoutResult = Pick<IntentOutcome, 'unlinked' | 'reason'>;

const removeOnPhone = 'remove the device on the phone (Settings -> Linked devices)';

export const logoutResults = {
  unlinked: { unlinked: true, reason: null },
  nothingLinked: {
    unlinked: false,
    reason: 'this server knows of no linked phone, so there was nothing to unlink',
  },
  notTold: { unlinked: false, reason: `WhatsApp did not get the logout; ${removeOnPhone}` },
  noOwner: {
    unlinked: false,
    reason: `the session was not running, so WhatsApp did not get the logout; ${removeOnPhone}`,
  },
} as const satisfies Record<string, LogoutResult>;

/** Data of an `auth-start` job. `startId` distinguishes this start from earlier ones with the same job id. */
export const startJobSchema = z.object({ startId: z.string() });
export type StartJob = z.infer<typeof startJobSchema>;
