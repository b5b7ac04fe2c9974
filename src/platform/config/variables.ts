import { z } from 'zod';
import { bounds } from '../../contract/bounds.js';
import { plainIssue } from '../../contract/plain-issues.js';
import { browserKinds } from './browser-executable.js';
import { deviceName, languages, timeZone, webVersion } from './browser-identity.js';
import { sessionsMax } from './session-room.js';
import {
  addressRange,
  apiKeys,
  bindAddress,
  boolean,
  browserArguments,
  credentialsKeys,
  integer,
  list,
  passphrase,
  publicUrl,
  redisUrl,
  servedHost,
  timingOverrides,
  webOrigin,
} from './variable-types.js';

/** Every environment variable of the product, with its type and default. `.env.example` lists the same. */
const variables = z.object({
  REDIS_URL: redisUrl.optional(),
  WHATSAPP_MCP_HOST: bindAddress.default('127.0.0.1'),
  WHATSAPP_MCP_PORT: integer(0, 65_535).default(8790),
  WHATSAPP_AUTH_DIR: z.string().default('.wwebjs_auth'),
  WHATSAPP_BROWSER: z.enum(browserKinds, { error: 'must be chromium or shell' }).optional(),
  WHATSAPP_CHROME_EXECUTABLE: z.string().optional(),
  WHATSAPP_CHROME_ARGS: browserArguments.default([]),
  WHATSAPP_HEADLESS: boolean.default(true),
  WHATSAPP_DATA_DIR: z.string().default('.holdline'),
  WHATSAPP_CREDENTIALS_KEY: credentialsKeys.default([]),
  WHATSAPP_BACKUP_PASSPHRASE: passphrase.optional(),
  WHATSAPP_INSTALL: z.enum(['never', 'auto'], { error: 'must be never or auto' }).default('auto'),
  WHATSAPP_PUBLIC_URL: publicUrl.optional(),
  WHATSAPP_ALLOWED_HOSTS: list.pipe(z.array(servedHost)).default([]),
  WHATSAPP_ALLOWED_ORIGINS: list.pipe(z.array(webOrigin)).default([]),
  WHATSAPP_API_KEYS: apiKeys.default([]),
  WHATSAPP_TRUSTED_PROXIES: list.pipe(z.array(addressRange)).default([]),
  WHATSAPP_RATE_LIMIT: integer(0, 1_000_000).default(600),
  WHATSAPP_SEND_QUEUE_MAX: integer(1, 1_000_000).default(bounds.sendQueue),
  WHATSAPP_LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
      error: 'must be one of trace, debug, info, warn, error, fatal, silent',
    })
    .default('info'),
  WHATSAPP_WEB_VERSION: webVersion.optional(),
  WHATSAPP_DEVICE_NAME: deviceName.default('Holdline'),
  WHATSAPP_PASSKEY: z.enum(['on', 'off'], { error: 'must be on or off' }).default('on'),
  WHATSAPP_LANGUAGES: languages.default([]),
  WHATSAPP_TIME_ZONE: timeZone.optional(),
  WHATSAPP_SEND_TTL_S: integer(1, 604_800).default(3_600),
  WHATSAPP_PROBE_HOST: bindAddress.default('127.0.0.1'),
  WHATSAPP_PROBE_PORT: integer(0, 65_535).default(9790),
  WHATSAPP_MAX_SESSIONS: integer(1, sessionsMax).optional(),
  WHATSAPP_MAX_STARTS: integer(1, sessionsMax).optional(),
  WHATSAPP_BROWSER_MEMORY_MB: integer(0, 1_048_576).default(2_048),
  WHATSAPP_RECYCLE_DAYS: integer(0, 365).default(0),
  WHATSAPP_RESTARTS_MAX: integer(1, 1_000).default(10),
  WHATSAPP_RESTART_WINDOW_S: integer(1, 86_400).optional(),
  WHATSAPP_BACKOFF_MAX_S: integer(1, 3_600).optional(),
  WHATSAPP_START_DEADLINE_S: integer(1, 3_600).optional(),
  WHATSAPP_SYNC_DEADLINE_S: integer(1, 3_600).optional(),
  WHATSAPP_STOP_GRACE_S: integer(1, 600).optional(),
  WHATSAPP_TIMING: timingOverrides.default({}),
});

export type Variables = z.infer<typeof variables>;

/** In the form of `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ParsedVariables {
  /** Unset and invalid variables have their defaults. */
  readonly values: Variables;
  /** The variables that are set: an empty one is not. */
  readonly given: Environment;
  readonly invalid: ReadonlySet<string>;
  /** `NAME: what is wrong and what is allowed`, one for each problem. */
  readonly problems: readonly string[];
}

/** Never throws: an invalid variable does not affect the others. */
export function parseVariables(environment: Environment): ParsedVariables {
  const given = Object.fromEntries(
    Object.entries(environment).filter(
      ([name, value]) => name in variables.shape && value !== undefined && value !== '',
    ),
  );
  const invalid = new Set<string>();
  const problems: string[] = [];
  for (const issue of variables.safeParse(given, { error: plainIssue }).error?.issues ?? []) {
    invalid.add(String(issue.path[0]));
    problems.push(`${String(issue.path[0])}: ${issue.message}`);
  }
  const valid = Object.entries(given).filter(([name]) => !invalid.has(name));
  return { values: variables.parse(Object.fromEntries(valid)), given, invalid, problems };
}

/** A sentence for each variable with the product's prefix that it does not know. They are probably misspelt. */
export function unknownVariables(environment: Environment): string[] {
  const known = Object.keys(variables.shape);
  return Object.keys(environment)
    .filter((name) => name.startsWith('WHATSAPP_') && !known.includes(name))
    .map((name) => {
      const meant = known.find((other) => isAlike(name, other));
      const question = meant === undefined ? '' : ` (did you mean ${meant}?)`;
      return `${name} is not a variable of this product${question}`;
    });
}

/** One has more at its end than the other, or they have the same letters in another order. */
function isAlike(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a) || [...a].sort().join('') === [...b].sort().join('');
}
