import type { Timing } from '../../contract/timing.js';
import { pause } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { BrowserMemory } from '../browser/browser-memory.js';

/** Why a browser is replaced although nothing is broken. */
export interface Recycling {
  readonly why: 'memory' | 'age';
  /** One sentence, for the log. */
  readonly message: string;
}

interface RecyclerParts {
  /** MB and days; 0: no ceiling. */
  readonly limits: { readonly memoryMb: number; readonly days: number };
  readonly timing: Pick<Timing, 'memoryCheckMs' | 'recyclePatienceMs' | 'recycleSpacingMs'>;
  readonly readMemory: (groupId: number) => Promise<BrowserMemory | null>;
  /** The browser that there is now. */
  readonly browser: () => { readonly pid: number; readonly ageMs: number } | null;
  /** The session is in the one state in which a restart takes it straight back. */
  readonly isReady: () => boolean;
  /** Nobody would notice now. May reject: then it is not known to be quiet. */
  readonly isQuiet: () => Promise<boolean>;
  readonly log: Logger;
}

const mb = 1_048_576;
const dayMs = 86_400_000;
/** While a browser is to be replaced, a quiet moment is looked for more often. */
const longestLookMs = 5_000;

/**
 * Waits until a browser has outgrown its ceiling, or its age, and until a quiet moment after that; with nothing but
 * noise the patience ends, and `ready` is enough. Resolves to why, or to null when `signal` aborts.
 *
 * A browser that is beyond the ceiling while it is young is left alone: another would be so as soon, and the ceiling
 * is what is wrong.
 */
export async function untilDue(parts: RecyclerParts, signal: AbortSignal): Promise<Recycling | null> {
  const { timing, isReady, isQuiet, log } = parts;
  const findReason = createReasonFinder(parts);
  let dueSince: number | null = null;
  for (;;) {
    await pause(
      dueSince === null ? timing.memoryCheckMs : Math.min(timing.memoryCheckMs, longestLookMs),
      signal,
    );
    if (signal.aborted) return null;
    const recycling = await findReason();
    if (recycling === null) {
      dueSince = null;
      continue;
    }
    if (dueSince === null) log.info(recycling, 'the browser is to be replaced at a quiet moment');
    dueSince ??= performance.now();
    const isPatient = performance.now() - dueSince < timing.recyclePatienceMs;
    if (isPatient && !(await isQuiet().catch(() => false))) continue;
    // Asked last: nothing is waited for between this look and the caller.
    if (isReady() && !signal.aborted) return recycling;
  }
}

/** One reading above the ceiling may be a peak, two in a row are its size. */
function createReasonFinder(parts: RecyclerParts): () => Promise<Recycling | null> {
  const { limits, timing, readMemory, browser, log } = parts;
  let hasWarned = false;
  let wasBeyond = false;
  return async () => {
    const current = browser();
    if (current === null) return null;
    const { pid, ageMs } = current;
    if (limits.days > 0 && ageMs > limits.days * dayMs) {
      return { why: 'age', message: `the browser has run for ${(ageMs / dayMs).toFixed(1)} days` };
    }
    const usedMb =
      limits.memoryMb === 0 ? 0 : ((await readMemory(pid).catch(() => null))?.pssBytes ?? 0) / mb;
    const isBeyond = usedMb > limits.memoryMb && limits.memoryMb > 0;
    const isLasting = isBeyond && wasBeyond;
    wasBeyond = isBeyond;
    if (!isLasting) return null;
    const sizes = `${Math.round(usedMb)} MB, the ceiling is ${limits.memoryMb} MB`;
    if (ageMs < timing.recycleSpacingMs) {
      const text = 'the browser is beyond its ceiling while it is young: raise WHATSAPP_BROWSER_MEMORY_MB';
      if (!hasWarned) log.warn({ usedMb: Math.round(usedMb), ceilingMb: limits.memoryMb }, text);
      hasWarned = true;
      return null;
    }
    return { why: 'memory', message: `the browser uses ${sizes}` };
  };
}
