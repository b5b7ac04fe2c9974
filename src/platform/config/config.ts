import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { ApiKey } from '../../contract/access.js';
import { OperatorError } from '../../contract/errors.js';
import type { Timing } from '../../contract/timing.js';
import type { CredentialsKey } from '../credentials-keys.js';
import { isLoopbackHost, isLoopbackUrl } from '../loopback.js';
import { type BrowserKind, chooseBrowser } from './browser-executable.js';
import { sessionRoom, startsAtOnce } from './session-room.js';
import { timingOf, timingProblems } from './timing-variables.js';
import { type Environment, type ParsedVariables, parseVariables, unknownVariables } from './variables.js';

/** What a process runs: all parts, or one part, which needs the `REDIS_URL` that all parts share. */
export const roles = ['all', 'http', 'supervisor'] as const;
export type Role = (typeof roles)[number];

export interface Config {
  readonly role: Role;
  readonly host: string;
  readonly port: number;
  readonly publicUrl: string | null;
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Empty: every caller that reaches the port may do everything. */
  readonly apiKeys: readonly ApiKey[];
  /** Addresses and subnets of the reverse proxies whose `X-Forwarded-For` is used. */
  readonly trustedProxies: readonly string[];
  /** Max requests per minute of one key, and of one address. Only those that change or cost something count. 0: no limit. */
  readonly rateLimit: number;
  /** Max unsettled sends of one session. */
  readonly sendQueueMax: number;
  /** null: the embedded Redis. */
  readonly redisUrl: string | null;
  readonly dataDir: string;
  readonly authDir: string;
  readonly browser: BrowserKind;
  /** `''`: none was found. Only a supervisor needs one. */
  readonly chromeExecutable: string;
  readonly chromeArgs: readonly string[];
  readonly headless: boolean;
  /** WhatsApp's requests for a passkey can be answered by the operator. */
  readonly relaysPasskey: boolean;
  /** The environment without the product's variables: a browser must not see keys and passwords. */
  readonly browserEnvironment: Environment;
  readonly webVersion: string | null;
  /** What the phone lists under Linked devices. */
  readonly deviceName: string;
  /** Languages in which the browser requests pages, the preferred one first. Empty: the browser's default. */
  readonly languages: readonly string[];
  /** null: the machine's. */
  readonly timeZone: string | null;
  readonly logLevel: string;
  /** Where a supervisor serves its probes and metrics. */
  readonly probe: ProbeAddress;
  readonly maxSessions: number;
  /** How `maxSessions` was found, for the log. */
  readonly maxSessionsBy: string;
  /** Max starts of sessions that one supervisor has under way. */
  readonly maxStarts: number;
  readonly restartsMax: number;
  /** A browser that exceeds one of these is replaced at a quiet moment. 0: no such limit. */
  readonly recycling: { readonly memoryMb: number; readonly days: number };
  /** How long an accepted message may wait to be sent. */
  readonly sendTtlS: number;
  /** The first encrypts the backup of credentials, all decrypt it. Empty: no key was given. */
  readonly credentialsKeys: readonly CredentialsKey[];
  /** Encrypts the file of `npm run backup`. null: it is asked for on the terminal. */
  readonly backupPassphrase: string | null;
  readonly hostName: string;
  readonly timing: Timing;
  /** Sentences for the log: what was ignored, and what is unsafe. */
  readonly warnings: readonly string[];
}

export interface ProbeAddress {
  readonly host: string;
  /** 0: none. */
  readonly port: number;
  /** The port was configured, so it must be this one. The default port may be in use by another supervisor. */
  readonly isGiven: boolean;
}

/** What a status says of the configuration. */
export function statusFactsOf({ authDir, chromeExecutable, headless }: StatusConfig) {
  return { auth_dir: authDir, chrome_executable: chromeExecutable, headless };
}

export type StatusConfig = Pick<Config, 'authDir' | 'chromeExecutable' | 'headless'>;

/**
 * The only reader of the environment. Throws one {@link OperatorError} that names every problem: the
 * variable, what is wrong with it and what is allowed.
 */
export function loadConfig(role: string, environment: Environment): Config {
  const parsed = parseVariables(environment);
  const { values: v, given } = parsed;
  const browser = chooseBrowser(
    { kind: v.WHATSAPP_BROWSER, executable: v.WHATSAPP_CHROME_EXECUTABLE, headless: v.WHATSAPP_HEADLESS },
    environment.PATH ?? '',
  );
  const timing = timingOf(v);
  const room = sessionRoom(v.WHATSAPP_MAX_SESSIONS, browser.kind);
  const isExposed = !isLoopbackHost(v.WHATSAPP_MCP_HOST) && role !== 'supervisor';
  const isOpen = v.WHATSAPP_API_KEYS.length === 0 && role !== 'supervisor';
  const hasOpenPublicUrl = isOpen && !isLoopbackUrl(v.WHATSAPP_PUBLIC_URL ?? 'http://localhost');
  const problems = [
    ...(isRole(role) ? [] : [`the role is ${JSON.stringify(role)}; allowed: ${roles.join(', ')}`]),
    ...parsed.problems,
    ...redisProblems(role, given),
    ...(isExposed ? exposureProblems(parsed) : []),
    ...(role === 'http' ? [] : browser.problems),
    ...timingProblems(timing, parsed),
  ];
  // A mistyped name may be the reason of another problem.
  if (problems.length > 0) throw configError([...problems, ...unknownVariables(environment)]);

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
    browser: browser.kind,
    chromeExecutable: browser.executable,
    chromeArgs: v.WHATSAPP_CHROME_ARGS,
    headless: v.WHATSAPP_HEADLESS,
    relaysPasskey: v.WHATSAPP_PASSKEY === 'on',
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
    maxSessions: room.sessions,
    maxSessionsBy: room.by,
    maxStarts: startsAtOnce(v.WHATSAPP_MAX_STARTS),
    restartsMax: v.WHATSAPP_RESTARTS_MAX,
    recycling: { memoryMb: v.WHATSAPP_BROWSER_MEMORY_MB, days: v.WHATSAPP_RECYCLE_DAYS },
    sendTtlS: v.WHATSAPP_SEND_TTL_S,
    credentialsKeys: v.WHATSAPP_CREDENTIALS_KEY,
    backupPassphrase: v.WHATSAPP_BACKUP_PASSPHRASE ?? null,
    hostName: hostname(),
    timing: Object.freeze(timing),
    warnings: [
      ...unknownVariables(environment).map((sentence) => `${sentence}; ignored`),
      ...(isExposed && !v.WHATSAPP_PUBLIC_URL?.startsWith('https:') ? [clearTextWarning] : []),
      ...(hasOpenPublicUrl ? [openPublicUrlWarning] : []),
    ],
  });
}

const clearTextWarning =
  'keys and messages cross the network in clear text: put a reverse proxy with TLS in front, and name its https URL in WHATSAPP_PUBLIC_URL';

const openPublicUrlWarning =
  'WHATSAPP_PUBLIC_URL is not a loopback URL, and there are no API keys: whoever reaches that URL may use the account; make a key with "npm run key -- NAME admin", and set WHATSAPP_API_KEYS';

function isRole(role: string): role is Role {
  return (roles as readonly string[]).includes(role);
}

function redisProblems(role: string, given: Environment): string[] {
  if (!isRole(role) || role === 'all' || given.REDIS_URL !== undefined) return [];
  return [
    `REDIS_URL: the role ${role} needs a Redis that all parts share; set REDIS_URL (redis://host:6379), or start the role all, which brings its own`,
  ];
}

/** Other machines reach the port: without keys they would own the account. */
function exposureProblems({ values, invalid }: ParsedVariables): string[] {
  if (values.WHATSAPP_API_KEYS.length > 0 || invalid.has('WHATSAPP_API_KEYS')) return [];
  return [
    `WHATSAPP_MCP_HOST: ${values.WHATSAPP_MCP_HOST} would give the account to everybody who reaches this machine; make an API key with "npm run key -- NAME admin" and set WHATSAPP_API_KEYS, or bind to 127.0.0.1 (or ::1)`,
  ];
}

/** The configuration of a tool that works on the same data as the product. It does not listen, so no rule for servers applies. */
export function loadToolConfig(environment: Environment): Config {
  const role = environment.REDIS_URL ? 'supervisor' : 'all';
  return loadConfig(role, { ...environment, WHATSAPP_MCP_HOST: '' });
}

/** A path that an operator typed. npm runs scripts in the directory of the package; INIT_CWD is where it was typed. */
export function typedPath(path: string, environment: Environment): string {
  return resolve(environment.INIT_CWD ?? '.', path);
}

function configError(problems: readonly string[]): OperatorError {
  return new OperatorError(
    problems.length === 1
      ? `configuration: ${problems[0]}`
      : `configuration:\n${problems.map((p) => `  - ${p}`).join('\n')}`,
  );
}
