import { accessSync, constants, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { split } from 'shlex';
import { z } from 'zod';
import type { ApiKey } from '../../contract/access.js';
import { bounds } from '../../contract/bounds.js';
import { OperatorError } from '../../contract/errors.js';
import { type Timing, timingContradictions, timingSchema } from '../../contract/timing.js';
import { parseApiKeys } from '../api-key.js';
import { type CredentialsKey, makeKeyHint, parseCredentialsKey } from '../credentials-keys.js';
import { parseRedisUrl } from '../redis/url.js';
import { isExecutable } from './browser-executable.js';
import { deviceName, languages, timeZone, webVersion } from './browser-identity.js';

/** What a process of the product does: everything with its own Redis, or one part against `REDIS_URL`. */
export const roles = ['all', 'http', 'supervisor'] as const;
export type Role = (typeof roles)[number];

export interface Config {
  readonly role: Role;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | null;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Empty: whoever reaches the port may do everything. */
  readonly apiKeys: readonly ApiKey[];
  /** Reverse proxies whose `X-Forwarded-For` is believed: addresses and subnets. */
  readonly trustedProxies: readonly string[];
  /** Requests a minute, of one key and of one address, that change or cost something; 0: no limit. */
  readonly rateLimit: number;
  /** Messages of one session that may wait to be sent. */
  readonly sendQueueMax: number;
  /** null: the embedded Redis. */
  readonly redisUrl: string | null;
  readonly dataDir: string;
  readonly authDir: string;
  /** `''` where none was found; only a supervisor needs it. */
  readonly chromeExecutable: string;
  readonly chromeArgs: readonly string[];
  readonly headless: boolean;
  /** The environment without what is ours: a browser has no business with keys and passwords. */
  readonly browserEnvironment: Environment;
  readonly webVersion: string | null;
  /** What the phone lists under Linked devices. */
  readonly deviceName: string;
  /** What pages are asked for in, the preferred one first; empty: what the browser says by itself. */
  readonly languages: readonly string[];
  /** null: the machine's. */
  readonly timeZone: string | null;
  readonly logLevel: string;
  /** Where a supervisor answers probes and tells its metrics. */
  readonly probe: ProbeAddress;
  readonly maxSessions: number;
  readonly restartsMax: number;
  /** A browser beyond this memory, or older, is replaced at a quiet moment; 0: never for that. */
  readonly recycling: { readonly memoryMb: number; readonly days: number };
  /** How long an accepted message may wait to be sent. */
  readonly sendTtlS: number;
  /** The first seals the backup of credentials, all open it; empty: none was given. */
  readonly credentialsKeys: readonly CredentialsKey[];
  readonly hostName: string;
  readonly timing: Timing;
  /** Sentences about what was ignored. */
  readonly warnings: readonly string[];
}

export interface ProbeAddress {
  readonly host: string;
  /** 0: none. */
  readonly port: number;
  /** Somebody counts on this port; the default one may be another supervisor's. */
  readonly isGiven: boolean;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The only reader of the environment. Throws one {@link OperatorError} that names every problem: the
 * variable, what is wrong with it and what is allowed.
 */
export function loadConfig(role: string, environment: Environment): Config {
  const problems: string[] = [];
  if (!isRole(role)) problems.push(`the role is ${JSON.stringify(role)}; allowed: ${roles.join(', ')}`);

  const given = Object.fromEntries(
    Object.entries(environment).filter(
      ([name, value]) => name in variables.shape && value !== undefined && value !== '',
    ),
  );
  const invalid = new Set<string>();
  for (const issue of variables.safeParse(given).error?.issues ?? []) {
    invalid.add(String(issue.path[0]));
    problems.push(`${String(issue.path[0])}: ${issue.message}`);
  }
  // What is left is checked too, so that one start names every problem.
  const v = variables.parse(Object.fromEntries(Object.entries(given).filter(([name]) => !invalid.has(name))));

  if (isRole(role) && role !== 'all' && given.REDIS_URL === undefined) {
    problems.push(
      `REDIS_URL: the role ${role} needs a Redis that all parts share; set REDIS_URL (redis://host:6379), or start the role all, which brings its own`,
    );
  }
  const isExposed = !isLoopback(v.WHATSAPP_MCP_HOST) && role !== 'supervisor';
  if (isExposed && v.WHATSAPP_API_KEYS.length === 0 && !invalid.has('WHATSAPP_API_KEYS')) {
    problems.push(
      `WHATSAPP_MCP_HOST: ${v.WHATSAPP_MCP_HOST} would give the account to everybody who reaches this machine; make an API key with "npm run key -- NAME admin" and set WHATSAPP_API_KEYS, or bind to 127.0.0.1 (or ::1)`,
    );
  }
  const executable = findChrome(v.WHATSAPP_CHROME_EXECUTABLE, environment.PATH ?? '');
  if (v.WHATSAPP_CHROME_EXECUTABLE !== undefined && executable === '' && role !== 'http') {
    problems.push(
      `WHATSAPP_CHROME_EXECUTABLE: ${v.WHATSAPP_CHROME_EXECUTABLE} is not an executable file; name a Chromium or Chrome, or leave the variable out to have one found`,
    );
  }
  const timing = timingSchema.parse({ ...timingOfVariables(v), ...v.WHATSAPP_TIMING });
  if (!invalid.has('WHATSAPP_TIMING')) {
    for (const text of timingContradictions(timing, v.WHATSAPP_RESTARTS_MAX)) {
      problems.push(`${variablesBehind(text, given)}: ${text}`);
    }
  }
  if (problems.length > 0) throw configError(problems);

  return Object.freeze({
    role: role as Role,
    host: v.WHATSAPP_MCP_HOST,
    port: v.WHATSAPP_MCP_PORT,
    publicUrl: v.WHATSAPP_PUBLIC_URL ?? null,
    allowedHosts: v.WHATSAPP_ALLOWED_HOSTS,
    allowedOrigins: v.WHATSAPP_ALLOWED_ORIGINS,
    apiKeys: v.WHATSAPP_API_KEYS,
    trustedProxies: v.WHATSAPP_TRUSTED_PROXIES,
    rateLimit: v.WHATSAPP_RATE_LIMIT,
    sendQueueMax: v.WHATSAPP_SEND_QUEUE_MAX,
    redisUrl: v.REDIS_URL ?? null,
    dataDir: resolve(v.WHATSAPP_DATA_DIR),
    authDir: resolve(v.WHATSAPP_AUTH_DIR),
    chromeExecutable: executable,
    chromeArgs: v.WHATSAPP_CHROME_ARGS,
    headless: v.WHATSAPP_HEADLESS,
    browserEnvironment: Object.fromEntries(
      Object.entries(environment).filter(([name]) => !name.startsWith('WHATSAPP_') && name !== 'REDIS_URL'),
    ),
    webVersion: v.WHATSAPP_WEB_VERSION ?? null,
    deviceName: v.WHATSAPP_DEVICE_NAME,
    languages: v.WHATSAPP_LANGUAGES,
    timeZone: v.WHATSAPP_TIME_ZONE ?? null,
    logLevel: v.WHATSAPP_LOG_LEVEL,
    probe: {
      host: v.WHATSAPP_PROBE_HOST,
      port: v.WHATSAPP_PROBE_PORT,
      isGiven: given.WHATSAPP_PROBE_PORT !== undefined,
    },
    maxSessions: v.WHATSAPP_MAX_SESSIONS,
    restartsMax: v.WHATSAPP_RESTARTS_MAX,
    recycling: { memoryMb: v.WHATSAPP_BROWSER_MEMORY_MB, days: v.WHATSAPP_RECYCLE_DAYS },
    sendTtlS: v.WHATSAPP_SEND_TTL_S,
    credentialsKeys: v.WHATSAPP_CREDENTIALS_KEY,
    hostName: hostname(),
    timing: Object.freeze(timing),
    warnings: [
      ...unknownVariables(environment).map((name) => `${name} is not a variable of this product; ignored`),
      ...(isExposed && !v.WHATSAPP_PUBLIC_URL?.startsWith('https:') ? [clearText] : []),
    ],
  });
}

const clearText =
  'keys and messages cross the network in clear text: put a reverse proxy with TLS in front, and name its https URL in WHATSAPP_PUBLIC_URL';

const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, { error: `must be a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    });

const boolean = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((value) => value === 'true' || value === '1');

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

const address = z.string().refine((value) => value === 'localhost' || isIP(value) !== 0, {
  error: 'must be an IP address or localhost',
});

const redisUrl = z
  .string()
  .refine((value) => parseRedisUrl(value) !== null, {
    error:
      'must be a URL like redis://user:password@host:6379/0, rediss://…?ca=FILE, redis+sentinel://host:26379,host:26379/mymaster, redis+cluster://host:6379,host:6379 or unix:///path/to/redis.sock; see docs/configuration.md',
    abort: true,
  })
  .superRefine((value, context) => {
    for (const file of Object.values(parseRedisUrl(value)?.tlsFiles ?? {})) {
      if (!isReadable(file)) context.addIssue({ code: 'custom', message: `the file ${file} cannot be read` });
    }
  });

const apiKeys = z.string().transform((text, context) => {
  const { keys, problems } = parseApiKeys(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return keys;
});

const addressRange = z.string().refine(isAddressRange, {
  error: 'must be addresses or subnets like 10.0.0.2, 172.16.0.0/12',
});

const origin = z.string().refine(isOrigin, {
  error: 'must be origins like https://app.example.org, without a path',
});

const variables = z.object({
  REDIS_URL: redisUrl.optional(),
  WHATSAPP_MCP_HOST: address.default('127.0.0.1'),
  WHATSAPP_MCP_PORT: integer(0, 65_535).default(8790),
  WHATSAPP_AUTH_DIR: z.string().default('.wwebjs_auth'),
  WHATSAPP_CHROME_EXECUTABLE: z.string().optional(),
  WHATSAPP_CHROME_ARGS: z.string().transform(splitAsShell).default([]),
  WHATSAPP_HEADLESS: boolean.default(true),
  WHATSAPP_DATA_DIR: z.string().default('.holdline'),
  WHATSAPP_CREDENTIALS_KEY: z.string().transform(parseKeys).default([]),
  WHATSAPP_INSTALL: z.enum(['never', 'auto'], { error: 'must be never or auto' }).default('auto'),
  WHATSAPP_PUBLIC_URL: z.url({ protocol: /^https?$/, error: 'must be an http(s) URL' }).optional(),
  WHATSAPP_ALLOWED_HOSTS: list.default([]),
  WHATSAPP_ALLOWED_ORIGINS: list.pipe(z.array(origin)).default([]),
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
  WHATSAPP_LANGUAGES: languages.default([]),
  WHATSAPP_TIME_ZONE: timeZone.optional(),
  WHATSAPP_SEND_TTL_S: integer(1, 604_800).default(3_600),
  WHATSAPP_PROBE_HOST: address.default('127.0.0.1'),
  WHATSAPP_PROBE_PORT: integer(0, 65_535).default(9790),
  WHATSAPP_MAX_SESSIONS: integer(1, 100).default(4),
  WHATSAPP_BROWSER_MEMORY_MB: integer(0, 1_048_576).default(2_048),
  WHATSAPP_RECYCLE_DAYS: integer(0, 365).default(0),
  WHATSAPP_RESTARTS_MAX: integer(1, 1_000).default(10),
  WHATSAPP_RESTART_WINDOW_S: integer(1, 86_400).optional(),
  WHATSAPP_BACKOFF_MAX_S: integer(1, 3_600).optional(),
  WHATSAPP_START_DEADLINE_S: integer(1, 3_600).optional(),
  WHATSAPP_SYNC_DEADLINE_S: integer(1, 3_600).optional(),
  WHATSAPP_STOP_GRACE_S: integer(1, 600).optional(),
  WHATSAPP_TIMING: z.string().transform(parseTiming).pipe(z.record(z.string(), z.unknown())).default({}),
});

type Variables = z.infer<typeof variables>;

/** The documented numbers, in seconds, and the row of the timing table that each sets. */
const timingVariables = [
  ['WHATSAPP_RESTART_WINDOW_S', 'restartWindowMs'],
  ['WHATSAPP_BACKOFF_MAX_S', 'backoffMaxMs'],
  ['WHATSAPP_START_DEADLINE_S', 'startDeadlineMs'],
  ['WHATSAPP_SYNC_DEADLINE_S', 'syncDeadlineMs'],
  ['WHATSAPP_STOP_GRACE_S', 'threadStopGraceMs'],
] as const satisfies readonly (readonly [keyof Variables, keyof Timing])[];

function timingOfVariables(v: Variables): Partial<Timing> {
  const timing: Partial<Timing> = {};
  for (const [name, row] of timingVariables) {
    const seconds = v[name];
    if (seconds !== undefined) timing[row] = seconds * 1000;
  }
  // A longer grace needs a longer shutdown around it.
  if (timing.threadStopGraceMs !== undefined) timing.shutdownMs = timing.threadStopGraceMs + 15_000;
  return timing;
}

/** The variables that were set and that a sentence about the timing table can be about. */
function variablesBehind(sentence: string, given: Environment): string {
  const blamed = [
    ...timingVariables,
    ['WHATSAPP_RESTARTS_MAX', 'restartWindowMs'],
    ['WHATSAPP_BACKOFF_MAX_S', 'restartWindowMs'],
  ] as const;
  const names = blamed
    .filter(([name, row]) => given[name] !== undefined && sentence.includes(row))
    .map(([name]) => name);
  return names.length > 0 ? [...new Set(names)].join(', ') : 'WHATSAPP_TIMING';
}

function splitAsShell(text: string, context: z.RefinementCtx): string[] {
  try {
    return split(text);
  } catch {
    context.addIssue({
      code: 'custom',
      message: 'must be words as a shell splits them; a quote is not closed',
    });
    return z.NEVER;
  }
}

/** Names an unusable key by its place only. */
function parseKeys(text: string, context: z.RefinementCtx): CredentialsKey[] {
  const keys: CredentialsKey[] = [];
  for (const [index, word] of text.split(',').entries()) {
    const key = parseCredentialsKey(word.trim());
    if (key !== null) keys.push(key);
    else {
      context.addIssue({
        code: 'custom',
        message: `key ${index + 1} must be base64 of 32 bytes (44 characters); make one with: ${makeKeyHint}`,
      });
    }
  }
  return keys;
}

function parseTiming(text: string, context: z.RefinementCtx): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    context.addIssue({
      code: 'custom',
      message: 'must be a JSON object of milliseconds, like {"startDeadlineMs":30000}',
    });
    return z.NEVER;
  }
  const result = timingSchema.partial().safeParse(value);
  if (result.success) return value as Record<string, unknown>;
  for (const issue of result.error.issues) {
    context.addIssue({
      code: 'custom',
      message: [issue.path.join('.'), issue.message].filter(Boolean).join(': '),
    });
  }
  return z.NEVER;
}

/** A misspelt variable would otherwise be ignored in silence. */
function unknownVariables(environment: Environment): string[] {
  return Object.keys(environment).filter(
    (name) => name.startsWith('WHATSAPP_') && !(name in variables.shape),
  );
}

function configError(problems: readonly string[]): OperatorError {
  return new OperatorError(
    problems.length === 1
      ? `configuration: ${problems[0]}`
      : `configuration:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
  );
}

function isRole(role: string): role is Role {
  return (roles as readonly string[]).includes(role);
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function isAddressRange(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function isOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

const chromeNames = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'];

function findChrome(configured: string | undefined, path: string): string {
  const candidates =
    configured !== undefined
      ? [resolve(configured)]
      : chromeNames.flatMap((name) =>
          path
            .split(delimiter)
            .filter(Boolean)
            .map((dir) => join(dir, name)),
        );
  return candidates.find(isExecutable) ?? '';
}
