import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { kill } from '../support/processes.js';
import { allRefusedKinds, type RefusedKind, refusedKinds } from '../support/refusals/chaos.js';
import { type RedisError, redisErrors } from '../support/refusals/errors.js';
import { replaceFile } from '../support/replace-file.js';
import type { FaultSettings } from '../whatsapp-web/settings.js';
import { type ChaosCluster, type ChaosSession, sessionNames } from './cluster.js';

export interface Fault {
  /** How often it is chosen, relative to the others. */
  readonly weight: number;
  /** Number of possible targets. */
  readonly targets: number;
  /** Shortest and longest duration, ms. */
  readonly forMs: readonly [number, number];
  /** A resource has one fault at a time. */
  readonly resource: (target: number) => string;
  /** Its variants, if there are several. */
  readonly variants?: readonly string[];
  /** Injects the fault and ends it after `forMs`. */
  readonly inject: (cluster: ChaosCluster, target: number, forMs: number, variant: string) => Promise<void>;
}

const fault = <Name extends string>(
  weight: number,
  resource: Name,
  inject: Fault['inject'],
  forMs: Fault['forMs'] = [0, 0],
  targets = 1,
): Fault => ({ weight, targets, forMs, resource: (target) => `${resource} ${target}`, inject });

/** A fault of one session. */
const ofSession = <Name extends string>(
  weight: number,
  resource: Name,
  inject: (cluster: ChaosCluster, session: ChaosSession, forMs: number) => Promise<void>,
  forMs: Fault['forMs'] = [0, 0],
): Fault =>
  fault(
    weight,
    resource,
    (cluster, target, lastingMs) => inject(cluster, cluster.sessions[target] as ChaosSession, lastingMs),
    forMs,
    sessionNames.length,
  );

/** The working thread reads the word and does it. If there is no such thread, the word is withdrawn. */
const thread = (word: string) =>
  ofSession(2, 'thread', async ({ threadFault }, { name }) => {
    const file = `${threadFault}-${name}`;
    replaceFile(file, word);
    for (let i = 0; i < 20 && existsSync(file); i++) await sleep(50);
    rmSync(file, { force: true });
  });

const network = (weight: number, breakIt: 'cut' | 'freeze') =>
  fault(
    weight,
    'network',
    async ({ networks }, target, forMs) => {
      networks[target]?.[breakIt]();
      await sleep(forMs);
      networks[target]?.open();
    },
    [200, 8_000],
    5,
  );

/** On the connections of one process, or of all. */
const refusal = (error: RedisError): Fault => ({
  ...fault(
    1,
    'refusal',
    async ({ refusing }, target, forMs, variant) => {
      const requests = refusedKinds[variant as RefusedKind];
      const refused = refusing.filter((_, i) => target === i || target === refusing.length);
      const refusals = refused.map((redis) => redis.refuse(requests, redisErrors[error]));
      await sleep(forMs);
      for (const each of refusals) each.lift();
    },
    [200, 8_000],
    6,
  ),
  variants: allRefusedKinds,
});

/** Sets faults of the stand-in of one account for a while. */
const whatsApp = (weight: number, settings: Partial<FaultSettings>, healed: Partial<FaultSettings>) =>
  ofSession(
    weight,
    `whatsapp ${Object.keys(settings)}`,
    async (_, { account: { faults } }, forMs) => {
      await faults.set(settings);
      await sleep(forMs);
      await faults.set(healed);
    },
    [300, 5_000],
  );

const page = (weight: number, action: 'hangNow' | 'reloadNow' | 'appendIframeNow' | 'cutNow') =>
  ofSession(weight, 'page', (_, { account: { faults } }) => faults[action]());

/** All faults. Their names are printed with the plan. */
export const faults = {
  'thread throws': thread('throw'),
  'thread exits': thread('exit'),
  'thread rejects': thread('reject'),
  'thread spins': thread('busy'),

  'browser is killed': ofSession(3, 'browser', async ({ browsers }, { name }) => {
    for (const pid of browsers.alive(name)) kill(pid);
  }),
  'browser is frozen': ofSession(
    1,
    'browser',
    async ({ browsers }, { name }, forMs) => {
      const pids = browsers.alive(name);
      for (const pid of pids) kill(pid, 'SIGSTOP');
      await sleep(forMs);
      for (const pid of pids) if (browsers.alive(name).includes(pid)) kill(pid, 'SIGCONT');
    },
    [500, 8_000],
  ),
  'renderer is killed': ofSession(2, 'browser', async ({ browsers }, { name }) => {
    for (const pid of browsers.renderers(name)) kill(pid);
  }),
  'page hangs': page(1, 'hangNow'),
  'page reloads': page(1, 'reloadNow'),
  'page gets an iframe': page(1, 'appendIframeNow'),

  'supervisor is killed': fault(
    3,
    'supervisor',
    async (cluster, target, forMs) => {
      await cluster.supervisors[target]?.end('SIGKILL');
      await sleep(forMs);
      cluster.startSupervisor(target);
    },
    [0, 6_000],
    2,
  ),
  'supervisor is stopped': fault(
    2,
    'supervisor',
    async (cluster, target, forMs) => {
      await cluster.supervisors[target]?.end('SIGTERM');
      await sleep(forMs);
      cluster.startSupervisor(target);
    },
    [0, 4_000],
    2,
  ),
  'supervisor is frozen': fault(
    3,
    'supervisor',
    async (cluster, target, forMs) => {
      cluster.supervisors[target]?.signal('SIGSTOP');
      await sleep(forMs);
      cluster.supervisors[target]?.signal('SIGCONT');
    },
    [300, 12_000],
    2,
  ),
  // Replica 0 is never killed: its memory is measured.
  'replica is killed': fault(
    2,
    'replica',
    async (cluster, target, forMs) => {
      await cluster.replicas[target + 1]?.end('SIGKILL');
      await sleep(forMs);
      cluster.startReplica(target + 1);
    },
    [0, 3_000],
    2,
  ),

  'redis is frozen': fault(
    2,
    'redis',
    async ({ redis }, _, forMs) => {
      redis.signal('SIGSTOP');
      await sleep(forMs);
      redis.signal('SIGCONT');
    },
    [200, 8_000],
  ),
  'redis is killed': fault(
    2,
    'redis',
    async ({ redis }, _, forMs) => {
      await redis.kill();
      await sleep(forMs);
      await redis.restart();
    },
    [0, 6_000],
  ),
  'connection is cut': network(2, 'cut'),
  'connection is swallowed': network(2, 'freeze'),
  'replies are slow': fault(
    2,
    'network',
    async ({ networks }, target, forMs) => {
      networks[target]?.delayReplies(400 + (forMs % 1_200));
      await sleep(forMs);
      networks[target]?.open();
    },
    [500, 6_000],
    5,
  ),

  'redis says READONLY': refusal('READONLY'),
  'redis says NOPERM': refusal('NOPERM'),
  'redis says OOM': refusal('OOM'),
  'redis says LOADING': refusal('LOADING'),
  'redis says MASTERDOWN': refusal('MASTERDOWN'),
  'redis says NOAUTH': refusal('NOAUTH'),
  'redis says CROSSSLOT': refusal('CROSSSLOT'),

  'whatsapp cuts the socket': page(2, 'cutNow'),
  'whatsapp is silent': whatsApp(1, { server: 'silent' }, { server: 'up' }),
  'whatsapp answers 500': whatsApp(1, { server: 'error-500' }, { server: 'up' }),
  'whatsapp resets': whatsApp(1, { server: 'reset' }, { server: 'up' }),
  'sends stall before': whatsApp(1, { sendStalls: 'unsent' }, { sendStalls: false }),
  'sends stall after': whatsApp(1, { sendStalls: 'sent' }, { sendStalls: false }),
  'messages stay in the page': whatsApp(1, { dropBeforeServer: true }, { dropBeforeServer: false }),
  'acks are lost': whatsApp(1, { ackStalls: true }, { ackStalls: false }),
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
