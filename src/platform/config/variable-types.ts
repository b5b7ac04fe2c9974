import { isIP } from 'node:net';
import { split } from 'shlex';
import { z } from 'zod';
import { plainIssue, sentenceOf } from '../../contract/plain-issues.js';
import { timingSchema } from '../../contract/timing.js';
import { parseApiKeys } from '../api-key.js';
import { isWebOrigin, parseAuthority } from '../authority.js';
import { type CredentialsKey, makeKeyHint, parseCredentialsKey } from '../credentials-keys.js';
import { isReadableFile } from '../files.js';
import { parseRedisUrl } from '../redis/url.js';

/** Types of environment variables. Each parses a text, or says in one sentence what is allowed. */

export const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d+$/, { error: `must be a whole number from ${min} to ${max}` })
    .transform(Number)
    .refine((value) => value >= min && value <= max, {
      error: `must be a whole number from ${min} to ${max}`,
    });

export const boolean = z
  .enum(['true', 'false', '1', '0'], { error: 'must be true or false' })
  .transform((value) => value === 'true' || value === '1');

/** Separated by commas; empty items are left out. */
export const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

export const bindAddress = z.string().refine((value) => value === 'localhost' || isIP(value) !== 0, {
  error: 'must be an IP address or localhost',
});

export const addressRange = z.string().refine(isAddressRange, {
  error: ({ input }) => `must be addresses or subnets like 10.0.0.2, 172.16.0.0/12; ${shown(input)} is none`,
});

export const webOrigin = z.string().refine(isWebOrigin, {
  error: ({ input }) =>
    `must be origins like https://app.example.org, without a path; ${shown(input)} is none`,
});

/** A host name or address with or without port. The form in which a request's `Host` is compared. */
export const servedHost = z.string().refine((value) => parseAuthority(value) !== null || isIP(value) === 6, {
  error: ({ input }) =>
    `must be host names or addresses like gateway.lan, gateway.lan:8443 or [fd00::1]:8790, without http:// and without a path; ${shown(input)} is none`,
});

/** A path is allowed: a reverse proxy may serve the product below one. */
export const publicUrl = z.string().refine(isPublicUrl, {
  error: 'must be an http(s) URL like https://wa.example.org, without a password, a query or a fragment',
});

/** An argument without a dash would be a page that the browser opens. */
export const browserArguments = shellWords()
  .refine((words) => words.every((word) => /^--?\w/.test(word)), {
    error: 'must be arguments that begin with -, like --proxy-server=http://proxy:3128',
  })
  .refine((words) => !words.some((word) => /^--?user-data-dir\b/.test(word)), {
    error: 'must not have --user-data-dir: WHATSAPP_AUTH_DIR names the directory of the profiles',
  });

/** The certificate files that the URL names must be readable too. */
export const redisUrl = z
  .string()
  .refine((value) => parseRedisUrl(value) !== null, {
    error:
      'must be a URL like redis://user:password@host:6379/0, rediss://…?ca=FILE, redis+sentinel://host:26379,host:26379/mymaster, redis+cluster://host:6379,host:6379 or unix:///path/to/redis.sock; see docs/configuration.md',
    abort: true,
  })
  .superRefine((value, context) => {
    for (const file of Object.values(parseRedisUrl(value)?.tlsFiles ?? {})) {
      if (!isReadableFile(file)) {
        context.addIssue({ code: 'custom', message: `the file ${file} cannot be read` });
      }
    }
  });

export const apiKeys = z.string().transform((text, context) => {
  const { keys, problems } = parseApiKeys(text);
  for (const message of problems) context.addIssue({ code: 'custom', message });
  return keys;
});

/** Problems name a key only by its number: the text may be a secret. */
export const credentialsKeys = z.string().transform((text, context) => {
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
});

export const passphrase = z.string().min(12, 'must have at least 12 characters');

/** Rows of the timing table as JSON, without their defaults. */
export const timingOverrides = z
  .string()
  .transform((text, context) => {
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
    const result = timingSchema.partial().safeParse(value, { error: plainIssue });
    if (result.success) return value;
    for (const issue of result.error.issues) {
      context.addIssue({
        code: 'custom',
        message: sentenceOf({ path: issue.path.join('.'), message: issue.message }),
      });
    }
    return z.NEVER;
  })
  .pipe(z.record(z.string(), z.unknown()));

function isAddressRange(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const version = isIP(address);
  if (version === 0 || more.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128));
}

function isPublicUrl(value: string): boolean {
  if (!/^https?:\/\/[^\s?#]+$/i.test(value) || !URL.canParse(value)) return false;
  const { username, password, host } = new URL(value);
  return username === '' && password === '' && parseAuthority(host) !== null;
}

function shellWords() {
  return z.string().transform((text, context) => {
    try {
      return split(text);
    } catch {
      context.addIssue({
        code: 'custom',
        message: 'must be words as a shell splits them; a quote is not closed',
      });
      return z.NEVER;
    }
  });
}

/** One item of a list, for an error message. */
function shown(item: unknown): string {
  return JSON.stringify(String(item).slice(0, 60));
}
