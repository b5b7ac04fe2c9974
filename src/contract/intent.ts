import { z } from 'zod';

/**
 * How somebody wants a run to end. Stored, not sent: the owner looks at it with every heartbeat, and an owner
 * that takes the session over finds it at its claim, so it is carried out once whoever dies in between.
 */
export const intentSchema = z.object({ id: z.string(), kind: z.enum(['stop', 'logout']) });
export type Intent = z.infer<typeof intentSchema>;

export const outcomeSchema = z.object({ id: z.string(), unlinked: z.boolean() });
export type Outcome = z.infer<typeof outcomeSchema>;

/** Data of an `auth-start` job; `startId` tells this start from earlier ones under the same job id. */
export const startJobSchema = z.object({ startId: z.string() });
export type StartJob = z.infer<typeof startJobSchema>;
