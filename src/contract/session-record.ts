import { z } from 'zod';
import { bounds } from './bounds.js';
import { jsonBytes } from './json-size.js';
import { proxyInputSchema, storedProxySchema, unreadableProxy } from './proxy.js';

/** Which chats are ignored: their messages are not told as events. Without a configuration, stories and channels are. */
export const ignoreSchema = z.object({
  stories: z
    .boolean()
    .catch(true)
    .describe('messages of `status@broadcast`; else told with a `type` that begins with `story_`'),
  channels: z
    .boolean()
    .catch(true)
    .describe('messages of `…@newsletter`; else told with a `type` that begins with `channel_`'),
  groups: z.boolean().catch(false).describe('messages of groups'),
});

export type Ignore = z.infer<typeof ignoreSchema>;

const usuallyIgnored: Ignore = { stories: true, channels: true, groups: false };

/**
 * What is configured of a session. It is kept in the register in Redis, and beside the session's profile: a supervisor that starts a
 * session which Redis has lost registers it again.
 */
export const sessionConfigSchema = z.object({
  metadata: z.record(z.string(), z.string()).catch({}),
  ignore: ignoreSchema.catch(usuallyIgnored),
  proxy: storedProxySchema.nullable().default(null).catch(unreadableProxy),
});

export type SessionConfig = z.infer<typeof sessionConfigSchema>;

export const sessionRecordSchema = sessionConfigSchema.extend({
  /** null: the session is `default`, or it was registered again after Redis had lost it. */
  created_at: z.iso.datetime().nullable().catch(null),
  /** Grows with every change. Of two copies, the higher one is newer. */
  revision: z.int().nonnegative().catch(0),
});

export type SessionRecord = z.infer<typeof sessionRecordSchema>;

/** The record of a session that nobody has configured. */
export const unconfigured: SessionRecord = {
  metadata: {},
  ignore: usuallyIgnored,
  proxy: null,
  created_at: null,
  revision: 0,
};

/** In place of a record that cannot be read. It may have had a proxy, without which the session must not run. */
export const unreadableRecord: SessionRecord = { ...unconfigured, proxy: unreadableProxy };

/** Whether its proxy cannot be read. */
export function isUnreadable({ proxy }: Pick<SessionRecord, 'proxy'>): boolean {
  return proxy !== null && proxy.server === unreadableProxy.server;
}

const metadataRule = `must be texts by name, as in { "team": "sales" }, with at most ${bounds.metadata} bytes of JSON`;

/** A lone surrogate would make JSON that not every program can read. */
function isWellFormed(metadata: Readonly<Record<string, string>>): boolean {
  return Object.entries(metadata).every((texts) => texts.every((text) => !/\p{Surrogate}/u.test(text)));
}

/** What a client may change. A field that is left out stays as it is. */
export const sessionChangesSchema = {
  metadata: z
    .record(z.string(), z.string(), { error: metadataRule })
    .refine((metadata) => jsonBytes(metadata) <= bounds.metadata && isWellFormed(metadata), {
      error: metadataRule,
    })
    .optional()
    .describe('texts of your own, by name; replaces all that were there'),
  ignore: z
    .strictObject(
      { stories: flag('stories'), channels: flag('channels'), groups: flag('groups') },
      { error: 'must be an object of stories, channels and groups, each true or false' },
    )
    .optional()
    .describe(
      'whose messages are not told as events: a field that is left out stays as it is, at first stories and channels true, groups false',
    ),
  proxy: proxyInputSchema
    .nullable()
    .optional()
    .describe(
      'of the browser of the session, replaced as a whole; null: none; takes effect at the next start of the browser',
    ),
};

function flag(name: keyof Ignore) {
  return ignoreSchema.shape[name].unwrap().optional();
}

export interface SessionChanges {
  readonly metadata?: SessionConfig['metadata'] | undefined;
  readonly ignore?: { readonly [Name in keyof Ignore]?: boolean | undefined } | undefined;
  readonly proxy?: SessionConfig['proxy'] | undefined;
}

/** The record after these changes. */
export function withChanges(
  record: SessionRecord,
  { metadata, ignore = {}, proxy }: SessionChanges,
): SessionRecord {
  return {
    ...record,
    revision: record.revision + 1,
    metadata: metadata ?? record.metadata,
    proxy: proxy === undefined ? record.proxy : proxy,
    ignore: {
      stories: ignore.stories ?? record.ignore.stories,
      channels: ignore.channels ?? record.ignore.channels,
      groups: ignore.groups ?? record.ignore.groups,
    },
  };
}
