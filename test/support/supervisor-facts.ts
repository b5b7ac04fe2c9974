import type { SupervisorFacts } from '../../src/platform/store/supervisor-registry.js';

/** What a supervisor with this much room tells of itself. */
export function supervisorFacts(room: number, sessions = 0, starts = room): SupervisorFacts {
  const since = '2026-01-15T09:30:12.345Z';
  return { host: 'a-host', version: '0.0.0', since, sessions, capacity: sessions + room, starts };
}
