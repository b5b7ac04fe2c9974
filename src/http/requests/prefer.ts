const longestWaitS = 120;

/** Seconds of `Prefer: wait=N` (RFC 7240), 0-120. null where absent or nonsense: a preference is never an error. */
export function parsePreferredWait(header: string | string[] | undefined): number | null {
  for (const preference of [header ?? []].flat().join(',').split(',')) {
    const [name, value] = (preference.split(';', 1)[0] ?? '').split('=').map((part) => part.trim());
    if (name?.toLowerCase() !== 'wait') continue;
    const digits = /^(?:"(\d{1,3})"|(\d{1,3}))$/.exec(value ?? '');
    const seconds = Number(digits?.[1] ?? digits?.[2] ?? Number.NaN);
    return seconds <= longestWaitS ? seconds : null;
  }
  return null;
}
