import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { SessionEvent } from '../../src/contract/events.js';
import { sessionKeys } from '../../src/contract/keys.js';
import { composeStatus, type Fence, type StateChange } from '../../src/contract/status.js';
import { appendEvents } from '../../src/platform/store/event-writer.js';
import { claimRun } from '../../src/platform/store/run-store.js';
import { publishStatus } from '../../src/platform/store/state-store.js';
import { onBound } from './on-bound.js';

/** An owner without a browser: it claims the session and publishes what the test passes in. */
export interface EventWriter {
  readonly fence: Fence;
  /** False: the fence refused it. */
  publish(change: Partial<StateChange>): Promise<boolean>;
  messages(...bodies: string[]): Promise<boolean>;
}

const facts = { auth_dir: '/srv/auth', chrome_executable: '/usr/bin/chromium', headless: true };

export async function claimToWrite(redis: Redis, session = 'default'): Promise<EventWriter> {
  const token = randomUUID();
  await redis.set(sessionKeys(session).lock, token);
  const claim = await claimRun(redis, session, token, randomUUID());
  if (claim.type !== 'claimed') throw new Error(`the claim was refused: ${claim.type}`);
  const fence = { epoch: claim.epoch, incarnation: 0 };
  const run = { ...facts, ...fence, session, restarts: 0, supervisor: 'writer' };
  return {
    fence,
    publish(change) {
      const full: StateChange = { state: 'ready', lastError: null, account: null, ...change };
      const status = composeStatus(run, full, new Date().toISOString());
      const code = Buffer.from('png');
      const qr = status.qr && { png: code, base64: code.toString('base64') };
      return publishStatus(redis, { session, expected: fence, status, qr, heartbeatTtlMs: 60_000, onBound });
    },
    messages(...bodies) {
      return appendEvents(
        redis,
        session,
        fence,
        bodies.map((body) => messageEvent(body, session)),
        onBound,
      );
    },
  };
}

function messageEvent(body: string, session: string): SessionEvent {
  const at = new Date();
  const data = {
    id: `false_491511234567@c.us_${randomUUID()}`,
    from: '491511234567@c.us',
    to: '491517654321@c.us',
    author: null,
    from_me: false,
    type: 'chat',
    body,
    timestamp: Math.floor(at.getTime() / 1000),
    has_media: false,
    chat_id: '491511234567@c.us',
    sender: { id: '491511234567@c.us', phone: '491511234567', lid: null, name: 'Ada' },
    is_truncated: false,
  };
  return { type: 'message', session, at: at.toISOString(), data };
}
