import { setTimeout as lasting } from 'node:timers/promises';
import { appendEvents } from '../../../src/platform/store/event-writer.js';
import { LightFleet } from './light-fleet.js';
import { messageEvent } from './message-event.js';
import { type RedisCounters, readCounters, readMemory, sumOf, watchCommands } from './redis-load.js';

/** What Redis does for one message, without what the idle sessions cost meanwhile. */
interface MessageCost {
  readonly commandsSent: number;
  /** Those within scripts included. */
  readonly commandsRun: number;
  readonly redisCpuMs: number;
}

export interface MessagesResult {
  readonly send: MessageCost;
  /** The event of an incoming message. */
  readonly event: MessageCost;
  /** Of one event in its stream and in the common order. */
  readonly eventBytes: number;
}

interface MessagesOptions {
  readonly sends: number;
  readonly events: number;
  /** How long the idle sessions are watched, for comparison. */
  readonly idleSeconds: number;
  readonly log: (line: string) => void;
}

/** A few sessions only, so that the messages stand out. */
const fewSessions = { sessions: 4, supervisors: 3 };
const sendersAtOnce = 4;
const startLimitMs = 120_000;

/** Sends messages through the API, and adds events as session workers do. */
export async function measureMessages(options: MessagesOptions): Promise<MessagesResult> {
  const { sends, events, idleSeconds, log } = options;
  const fleet = await LightFleet.open(fewSessions);
  try {
    await fleet.makeAll();
    await fleet.startAll();
    await fleet.untilAllReady(startLimitMs);
    // The first calls load scripts and make queues.
    await sendAll(fleet, sendersAtOnce);
    const idle = await costOf(fleet, () => lasting(idleSeconds * 1_000));
    log(`sending ${sends} messages, and adding ${events} events`);
    const send = perItem(sends, await costOf(fleet, () => sendAll(fleet, sends)), idle);
    const before = await readMemory(fleet.client);
    const event = perItem(events, await costOf(fleet, () => addEvents(fleet, events)), idle);
    const eventBytes = ((await readMemory(fleet.client)).data - before.data) / events;
    return { send, event, eventBytes };
  } finally {
    await fleet.close();
  }
}

interface Cost {
  readonly seconds: number;
  readonly sent: number;
  readonly counters: Omit<RedisCounters, 'atMs'>;
}

async function costOf(fleet: LightFleet, work: () => Promise<unknown>): Promise<Cost> {
  const watch = await watchCommands(fleet.redis.port);
  const before = await readCounters(fleet.client);
  await work();
  const now = await readCounters(fleet.client);
  const counters = {
    commands: now.commands - before.commands,
    cpuSeconds: now.cpuSeconds - before.cpuSeconds,
  };
  return { seconds: (now.atMs - before.atMs) / 1_000, sent: sumOf((await watch.stop()).values()), counters };
}

function perItem(count: number, cost: Cost, idle: Cost): MessageCost {
  const own = (value: number, idleValue: number) =>
    Math.max(0, value - (idleValue / idle.seconds) * cost.seconds) / count;
  return {
    commandsSent: own(cost.sent, idle.sent),
    commandsRun: own(cost.counters.commands, idle.counters.commands),
    redisCpuMs: own(cost.counters.cpuSeconds, idle.counters.cpuSeconds) * 1_000,
  };
}

async function sendAll(fleet: LightFleet, count: number): Promise<void> {
  let left = count;
  const sender = async (n: number) => {
    const session = fleet.sessions[n % fleet.sessions.length];
    while (left-- > 0) {
      const answer = await fleet.http.get(`/api/sessions/${session}/send`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ phone_number: '+49 151 12345678', message: `message ${left}` }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`a send of ${session}: ${answer.status} ${text}`);
    }
  };
  await Promise.all(Array.from({ length: sendersAtOnce }, (_, n) => sender(n)));
}

/** One at a time, as messages come in. */
async function addEvents(fleet: LightFleet, count: number): Promise<void> {
  const [session = ''] = fleet.sessions;
  const status = (await fleet.statuses([session])).get(session);
  if (status === undefined) throw new Error(`${session} has no status`);
  for (let n = 0; n < count; n++)
    await appendEvents(fleet.client, session, status, [messageEvent(session, n)], () => undefined);
}
