import { setTimeout as sleep } from 'node:timers/promises';
import { listenToEvents } from '../support/event-client.js';
import { eventually } from '../support/eventually.js';
import type { Target } from './target.js';

/** Attacks that need more than requests: messages to the account, a sign-out, an open page. */

export interface Outcome {
  readonly seen: string;
  readonly complaint?: string;
}

/** A stranger sends messages of the greatest length, of three-byte characters. Anybody who knows the number can. */
export async function strangersWrite({ stage }: Target): Promise<Outcome> {
  const body = '€'.repeat(65_536);
  const count = 2_200;
  for (let i = 0; i < count; i++) {
    await stage.whatsApp.phone.receive({ from: '15557770000', body });
    if (i % 10 === 9) await sleep(50);
  }
  return { seen: `${count} messages, ${Math.round((count * body.length * 3) / 1e6)} MB` };
}

/** An operator signs out. The page that is still open must get no later events. */
export async function streamsEndWithTheirLogin({ stage, keyed, keys }: Target): Promise<Outcome> {
  const url = await keyed.url();
  const login = await fetch(`${url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: url, accept: 'text/html' },
    body: new URLSearchParams({ key: keys.key.admin }),
  });
  const cookie = (login.headers.get('set-cookie') ?? '').split(';', 1)[0] ?? '';
  const stream = await listenToEvents(url, { headers: { cookie } });
  if (stream.status !== 200) return { seen: '', complaint: `the stream was answered ${stream.status}` };
  try {
    await stage.whatsApp.phone.receive({ from: '15557770001', body: 'before the sign-out' });
    await eventually(() => stream.text.includes('before the sign-out'), {
      message: 'a message in the stream',
    });
    await fetch(`${url}/signout`, { method: 'POST', redirect: 'manual', headers: { origin: url, cookie } });
    const endedInTime = await eventually(() => stream.hasEnded, { timeoutMs: 10_000 }).catch(() => false);
    await stage.whatsApp.phone.receive({ from: '15557770001', body: 'after the sign-out' });
    await sleep(2_000);
    const hasLater = stream.text.includes('after the sign-out');
    if (endedInTime && !hasLater) return { seen: 'the stream ended' };
    return { seen: '', complaint: hasLater ? 'it sent a message after the sign-out' : 'it did not end' };
  } finally {
    stream.close();
  }
}

/** Sends what `fetch(…, { mode: 'no-cors' })` sends from a page of another site. Then the owner calls from the same machine. */
export async function fetchFromForeignPage({ limited }: Target): Promise<Outcome> {
  const url = await limited.url();
  const headers = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' };
  const answers = new Map<number, number>();
  for (let i = 0; i < 35; i++) {
    const batch = Array.from({ length: 20 }, () => fetch(`${url}/api/chats?limit=1`, { headers }));
    for (const answer of await Promise.all(batch)) {
      await answer.arrayBuffer();
      answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1);
    }
  }
  const own = await fetch(`${url}/api/chats?limit=1`);
  await own.arrayBuffer();
  const seen = `answers by status: ${[...answers].map(([status, count]) => `${status}: ${count}`).join(', ')}`;
  return own.status === 200 ? { seen } : { seen, complaint: `then the owner got ${own.status}` };
}
