import { z } from 'zod';
import { bounds } from './bounds.js';
import { jsonBytes } from './json-size.js';

/**
 * What is configured of a session. It is kept in the register in Redis, and beside the session's profile: a supervisor that starts a
 * session which Redis has lost registers it again.
 */
export const sessionConfigSchema = z.object({
  metadata: z.record(z.string(), z.string()).catch({}),
});

export type SessionConfig = z.infer<typeof sessionConfigSchema>;

export const sessionRecordSchema = sessionConfigSchema.extend({
  /** null: the session is `default`, or it was registered again after Redis had lost it. */
  created_at: z.iso.datetime().nullable().catch(null),
});

export type SessionRecord = z.infer<typeof sessionRecordSchema>;

/** The record of a session that nobody has configured, and in place of one that cannot be read. */
export const unconfigured: SessionRecord = { metadata: {}, created_at: null };

const metadataRule = `must be texts by name, as in { "team": "sales" }, with at most ${bounds.metadata} bytes of JSON`;

/** What a client may change. A field that is left out stays as it is. */
export const sessionChangesSchema = {
  metadata: z
    .record(z.string(), z.string(), { error: metadataRule })
    .refine((metadata) => jsonBytes(metadata) <= bounds.metadata, { error: metadataRule })
    .optional()
    .describe('texts of your own, by name; replaces all that were there'),
};

export type SessionChanges = { readonly [Field in keyof SessionConfig]?: SessionConfig[Field] | undefined };
