import { any, named, onKey, onQueue, type Requests } from './requests.js';

/** What chaos runs refuse, by the name in the printed plan. */
export const refusedKinds = {
  everything: () => true,
  'every script': ({ step }) => step.startsWith('holdline_') || step.startsWith('move'),
  'taking runs': any(onQueue('moveToActive', 'sessions'), named('moveStalledJobsToWait')),
  'claims and states': any(
    named('holdline_trimEvents'),
    named('holdline_claimRun'),
    named('holdline_publishStatus'),
  ),
  renewals: named('holdline_renewLock'),
  heartbeats: named('holdline_renewHeartbeat'),
  'checks of commands': named('holdline_readQueues'),
  'returns of jobs': any(named('moveJobFromActiveToWait'), named('holdline_stepDown')),
  'taking commands': any(onQueue('moveToActive', 'sends'), onQueue('moveToActive', 'reads')),
  'records of sends': any(
    named('holdline_readSendRecord'),
    named('holdline_recordAttempt'),
    onKey('set', ':attempt:'),
  ),
  'ends of jobs': any(named('moveToFinished'), named('updateData')),
  'blocking reads': any(named('bzpopmin'), named('xread')),
  events: named('holdline_appendEvents'),
  'new connections': any(named('info'), named('subscribe')),
  'plain reads': any(named('get'), named('getbuffer'), named('mget'), named('hgetall')),
  'accepted sends': any(named('holdline_reserveCapacity'), named('addStandardJob')),
} as const satisfies Record<string, Requests>;

export type RefusedKind = keyof typeof refusedKinds;

export const allRefusedKinds = Object.keys(refusedKinds) as readonly RefusedKind[];
