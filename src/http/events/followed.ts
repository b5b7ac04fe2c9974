import { defaultSession } from '../../contract/names.js';

/** The sessions whose events a client gets. */
export interface Followed {
  /** null: every session, also those made later. */
  readonly names: readonly string[] | null;
  /** The client must not learn when other sessions have events. */
  readonly isBound: boolean;
  has(session: string): boolean;
}

export function follow(names: readonly string[] | null, isBound = false): Followed {
  const set = new Set(names);
  return { names, isBound, has: (session) => names === null || set.has(session) };
}

export function isDefaultAlone({ names }: Followed): boolean {
  return names?.length === 1 && names[0] === defaultSession;
}

/** Of several clients together. */
export function followedByAny(all: Iterable<Followed>): Followed {
  const names = new Set<string>();
  for (const followed of all) {
    if (followed.names === null) return follow(null);
    for (const name of followed.names) names.add(name);
  }
  return follow([...names]);
}
