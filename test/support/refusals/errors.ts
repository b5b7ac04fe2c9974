/** Error replies of Redis 7. */
export const redisErrors = {
  /** From a master that has become a replica, on a connection made before. */
  READONLY: "READONLY You can't write against a read only replica.",
  NOPERM: "NOPERM this user has no permissions to run the 'evalsha' command",
  OOM: "OOM command not allowed when used memory > 'maxmemory'.",
  LOADING: 'LOADING Redis is loading the dataset in memory',
  MASTERDOWN: "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
  NOAUTH: 'NOAUTH Authentication required.',
  CROSSSLOT: "CROSSSLOT Keys in request don't hash to the same slot",
} as const;

export type RedisError = keyof typeof redisErrors;

export const allRedisErrors = Object.keys(redisErrors) as readonly RedisError[];
