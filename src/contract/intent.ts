import { z } from 'zod';

/**
 * A request to end a run. It is stored, not sent: the owner reads it with every heartbeat, and the next owner finds it when
 * it claims the session. So it is carried out once, even if an owner dies in between.
 */
export const intentSchema = z.object({ id: z.string(), kind: z.enum(['stop', 'logout']) });
export type Intent = z.infer<typeof intentSchema>;

/** The result of an intent. `unlinked`: WhatsApp has got the logout. */
export const intentOutcomeSchema = z.object({
  id: z.string(),
  unlinked: z.boolean(),
  reason: z.string().nullish(),
});
export type IntentOutcome = z.infer<typeof intentOutcomeSchema>;

/** Data of an `auth-start` job. `startId` distinguishes this start from earlier ones with the same job id. */
export const startJobSchema = z.object({ startId: z.string() });
export type StartJob = z.infer<typeof startJobSchema>;
