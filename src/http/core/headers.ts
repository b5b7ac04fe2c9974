const longestWaitS = 120;
const none: Preferences = { waitS: null, respondAsync: false };

/** What a caller prefers of a wait (RFC 7240). A preference is never an error: nonsense is ignored. */
export interface Preferences {
  /** `wait=N`, seconds, 0-120; null where absent or nonsense. */
  readonly waitS: number | null;
  /** `respond-async`: rather the place where the outcome will be told than a wait for it. */
  readonly respondAsync: boolean;
}

export function parsePreferences(header: string | string[] | undefined): Preferences {
  if (header === undefined) return none;
  let wait: string | null = null;
  let respondAsync = false;
  for (const preference of [header ?? []].flat().join(',').split(',')) {
    const [name, value] = (preference.split(';', 1)[0] ?? '').split('=').map((part) => part.trim());
    if (name?.toLowerCase() === 'respond-async') respondAsync = true;
    if (name?.toLowerCase() === 'wait') wait ??= value ?? '';
  }
  return { waitS: secondsOf(wait ?? ''), respondAsync };
}

/** `Preference-Applied`; null where nothing usable was preferred. */
export function appliedPreferences({ waitS, respondAsync }: Preferences): string | null {
  if (!respondAsync && waitS === null) return null;
  const applied = [respondAsync ? ['respond-async'] : [], waitS === null ? [] : [`wait=${waitS}`]].flat();
  return applied.join(', ');
}

function secondsOf(value: string): number | null {
  const digits = /^(?:"(\d{1,3})"|(\d{1,3}))$/.exec(value);
  const seconds = Number(digits?.[1] ?? digits?.[2] ?? Number.NaN);
  return seconds <= longestWaitS ? seconds : null;
}
