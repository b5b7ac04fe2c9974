import { MiB } from '../../contract/bounds.js';
import type { Timing } from '../../contract/timing.js';
import { pause } from '../../platform/deadline.js';
import type { Logger } from '../../platform/logger.js';
import type { BrowserMemory } from '../browser/browser-memory.js';

/** A planned restart on a new browser, although nothing is broken. */
export interface Recycling {
  readonly why: 'memory' | 'age';
  /** One sentence, for the log. */
  readonly message: string;
}

interface RecyclerParts {
  /** Ceilings in MB and days. 0: no ceiling. */
  readonly limits: { readonly memoryMb: number; readonly days: number };
  readonly timing: Pick<Timing, 'memoryCheckMs' | 'recyclePatienceMs' | 'recycleSpacingMs'>;
  readonly readMemory: (groupId: number) => Promise<BrowserMemory | null>;
  /** The current browser. */
  readonly browser: () => { readonly pid: number; readonly ageMs: number } | null;
  /** The session is `ready`. It is the only state to which a restart returns without a person. */
  readonly isReady: () => boolean;
  /** A restart would interrupt nothing now. A rejection counts as not quiet. */
  readonly isQuiet: () => Promise<boolean>;
  readonly log: Logger;
}

const dayMs = 86_400_000;
/** Max time between two checks for a quiet moment while a browser is due. */
const quietCheckMaxMs = 5_000;

/**
 * Waits until a browser exceeds its memory ceiling or its age limit, then until the session is `ready` and quiet. After
 * `recyclePatienceMs` it need not be quiet any more. Resolves to the reason, or to null when `signal` aborts.
 *
 * A young browser that exceeds the memory ceiling is kept: a new one would soon exceed it too, so the ceiling is wrong.
 */
export async function untilRecyclingDue(
  parts: RecyclerParts,
  signal: AbortSignal,
): Promise<Recycling | null> {
  const { timing, isReady, isQuiet, log } = parts;
  const findReason = createReasonFinder(parts);
  let dueSince: number | null = null;
  for (;;) {
    await pause(
      dueSince === null ? timing.memoryCheckMs : Math.min(timing.memoryCheckMs, quietCheckMaxMs),
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
    const mustBeQuiet = performance.now() - dueSince < timing.recyclePatienceMs;
    if (mustBeQuiet && !(await isQuiet().catch(() => false))) continue;
    // Checked last: nothing is awaited between this check and the return.
    if (isReady() && !signal.aborted) return recycling;
  }
}

/** Remembers the last reading: one above the ceiling may be a peak, two in a row count. */
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
      limits.memoryMb === 0 ? 0 : ((await readMemory(pid).catch(() => null))?.pssBytes ?? 0) / MiB;
    const isBeyond = usedMb > limits.memoryMb && limits.memoryMb > 0;
    const isLasting = isBeyond && wasBeyond;
    wasBeyond = isBeyond;
    if (!isLasting) return null;
    const sizes = `${Math.round(usedMb)} MB, the ceiling is ${limits.memoryMb} MB`;
    if (ageMs < timing.recycleSpacingMs) {
      const text =
        'the browser exceeds its memory ceiling soon after its start: raise WHATSAPP_BROWSER_MEMORY_MB';
      if (!hasWarned) log.warn({ usedMb: Math.round(usedMb), ceilingMb: limits.memoryMb }, text);
      hasWarned = true;
      return null;
    }
    return { why: 'memory', message: `the browser uses ${sizes}` };
  };
}
