import { z } from 'zod';
import { isWebVersion } from '../../contract/page.js';

/** Types of the variables that decide how the browser and the linked device identify themselves. */

export const webVersion = z.string().refine(isWebVersion, {
  error: 'must be a version of WhatsApp Web like 2.3000.1017054665',
});

/** The name that WhatsApp shows on the phone. */
export const deviceName = z
  .string()
  .transform((value) => value.trim())
  .refine((value) => /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]{1,50}$/u.test(value), {
    error: 'must be a name of 1 to 50 printable characters',
  });

/** In the order of preference. */
export const languages = z
  .string()
  .transform((value) => value.split(',').map((tag) => tag.trim()))
  .refine((tags) => tags.length <= 10 && tags.every(isLanguageTag), {
    error: 'must be at most 10 language tags like de-DE,de,en, without weights',
  });

/** The output is the canonical name. */
export const timeZone = z
  .string()
  .refine((value) => canonicalTimeZone(value) !== null, {
    error: 'must be a time zone by its IANA name, like Europe/Berlin or UTC',
  })
  .transform((value) => canonicalTimeZone(value) ?? value);

function isLanguageTag(tag: string): boolean {
  if (!/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$/.test(tag)) return false;
  try {
    return Intl.getCanonicalLocales(tag).length === 1;
  } catch {
    return false;
  }
}

/** null: no time zone. Offsets such as +05:30 are refused: the browser would interpret them differently. */
function canonicalTimeZone(name: string): string | null {
  if (!/^[A-Za-z]/.test(name)) return null;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return null;
  }
}
