import { type Timing, timingContradictions, timingSchema } from '../../contract/timing.js';
import type { Environment, ParsedVariables, Variables } from './variables.js';

/** Variables in seconds, and the row of the timing table that each sets. */
const timingVariables = [
  ['WHATSAPP_RESTART_WINDOW_S', 'restartWindowMs'],
  ['WHATSAPP_BACKOFF_MAX_S', 'backoffMaxMs'],
  ['WHATSAPP_START_DEADLINE_S', 'startDeadlineMs'],
  ['WHATSAPP_SYNC_DEADLINE_S', 'syncDeadlineMs'],
  ['WHATSAPP_STOP_GRACE_S', 'threadStopGraceMs'],
] as const satisfies readonly (readonly [keyof Variables, keyof Timing])[];

/** What a shutdown may take besides `WHATSAPP_STOP_GRACE_S`. */
const shutdownBeyondGraceMs = 15_000;

/** Builds the timing table from the variables. `WHATSAPP_TIMING` overrides the other variables. */
export function timingOf(values: Variables): Timing {
  const timing: Partial<Timing> = {};
  for (const [name, row] of timingVariables) {
    const seconds = values[name];
    if (seconds !== undefined) timing[row] = seconds * 1000;
  }
  if (timing.threadStopGraceMs !== undefined) {
    timing.shutdownMs = timing.threadStopGraceMs + shutdownBeyondGraceMs;
  }
  return timingSchema.parse({ ...timing, ...values.WHATSAPP_TIMING });
}

/** Each contradiction within the table, with the variables that may have caused it. */
export function timingProblems(timing: Timing, { values, given, invalid }: ParsedVariables): string[] {
  if (invalid.has('WHATSAPP_TIMING')) return [];
  return timingContradictions(timing, values.WHATSAPP_RESTARTS_MAX).map(
    (sentence) => `${variablesBehind(sentence, given)}: ${sentence}`,
  );
}

function variablesBehind(sentence: string, given: Environment): string {
  const candidates = [
    ...timingVariables,
    ['WHATSAPP_RESTARTS_MAX', 'restartWindowMs'],
    ['WHATSAPP_BACKOFF_MAX_S', 'restartWindowMs'],
  ] as const;
  const names = candidates
    .filter(([name, row]) => given[name] !== undefined && sentence.includes(row))
    .map(([name]) => name);
  return names.length > 0 ? [...new Set(names)].join(', ') : 'WHATSAPP_TIMING';
}
