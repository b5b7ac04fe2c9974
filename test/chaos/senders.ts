import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../../src/contract/command-jobs.js';
import { eventually } from '../support/eventually.js';
import type { ChaosCluster } from './cluster.js';
import { Random } from './random.js';

/** One message that a client wants sent, and what it was told. */
interface Wish {
  readonly body: string;
  readonly key: string | null;
  /** Ids of jobs it was told of; with a key there must be one only. */
  readonly jobs: Set<string>;
  /** It was told once that the message is out. */
  isSent: boolean;
  /** Some answer took it upon itself to see the message through. */
  isAccepted: boolean;
}

/** How the wishes ended, for the report. */
export interface SendTally {
  readonly wishes: number;
  readonly accepted: number;
  readonly sent: number;
  readonly failed: number;
  readonly unknown: number;
}

/** Within this after everything is well again, every accepted message must have settled. */
const settleMs = 90_000;
const recipient = '15550002222';

/** Clients that send through every replica, with and without keys, and repeat what was not answered elsewhere. */
export class Senders {
  readonly #cluster: ChaosCluster;
  readonly #complain: (what: string) => void;
  readonly #wishes: Wish[] = [];
  readonly #loops: Promise<void>[];
  #isOver = false;
  #settledBy = 0;

  constructor(cluster: ChaosCluster, seed: number, complain: (what: string) => void) {
    this.#cluster = cluster;
    this.#complain = complain;
    this.#loops = [1, 2].map((client) => this.#send(client, new Random(seed + client)));
  }

  /** Resolves when nothing is under way: those who hold a key have an answer by then. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  /** Waits for every accepted message to settle, and compares what was said with what WhatsApp's server got. */
  async judge(): Promise<SendTally> {
    // For all of them together.
    this.#settledBy = performance.now() + settleMs;
    const tally = { wishes: this.#wishes.length, accepted: 0, sent: 0, failed: 0, unknown: 0 };
    const told = new Map<Wish, Set<string>>();
    for (const wish of this.#wishes) {
      if (wish.key !== null && wish.jobs.size > 1)
        this.#complain(`${wish.body}: one key, jobs ${[...wish.jobs]}`);
      if (!wish.isAccepted) continue;
      tally.accepted++;
      const outcomes = new Set<string>(wish.isSent ? ['sent'] : []);
      for (const id of wish.jobs) outcomes.add(await this.#outcome(wish, id));
      if (outcomes.size !== 1)
        this.#complain(`${wish.body}: outcomes ${[...outcomes].join(' and ') || 'none'}`);
      for (const outcome of outcomes)
        if (outcome === 'sent' || outcome === 'failed' || outcome === 'unknown') tally[outcome]++;
      told.set(wish, outcomes);
    }
    const times = new Map<string, number>();
    for (const { body } of await this.#cluster.whatsApp.phone.received()) {
      times.set(body, (times.get(body) ?? 0) + 1);
    }
    for (const wish of this.#wishes) {
      this.#compare(wish, told.get(wish) ?? new Set(), times.get(wish.body) ?? 0);
    }
    return tally;
  }

  #compare(wish: Wish, outcomes: Set<string>, times: number): void {
    if (times > 1) this.#complain(`${wish.body}: sent ${times} times`);
    if (outcomes.has('sent') && times === 0) this.#complain(`${wish.body}: told as sent, never received`);
    if (outcomes.has('failed') && times > 0) this.#complain(`${wish.body}: told as failed, but received`);
  }

  async #outcome(wish: Wish, id: string): Promise<string> {
    let last: unknown;
    try {
      return (await eventually(
        async () => {
          const answer = await this.#cluster.replicas[0]?.get(`/api/jobs/${id}`);
          last = await answer?.json();
          if (answer?.status === 404) return 'forgotten';
          assert.equal(answer?.status, 200, JSON.stringify(last));
          const { status } = last as JobView;
          return status === 'queued' || status === 'active' ? null : status;
        },
        { timeoutMs: Math.max(0, this.#settledBy - performance.now()), intervalMs: 100 },
      )) as string;
    } catch {
      this.#complain(`${wish.body}: did not settle: ${JSON.stringify(last)}`);
      return 'unsettled';
    }
  }

  async #send(client: number, random: Random): Promise<void> {
    for (let count = 1; !this.#isOver; count++) {
      const body = `message ${count} of client ${client}`;
      const key = random.chance(0.7) ? `${client}-${count}` : null;
      const wish: Wish = { body, key, jobs: new Set(), isSent: false, isAccepted: false };
      this.#wishes.push(wish);
      const prefer = random.pick(['respond-async', 'wait=1', 'wait=4']);
      await this.#attempt(wish, random.between(0, 2), prefer);
      if (key !== null) {
        // Who holds a key repeats until somebody accepts, and some repeat what was accepted, elsewhere.
        for (let tries = 0; !wish.isAccepted && tries < 100; tries++) {
          await sleep(300);
          await this.#attempt(wish, random.between(0, 2), prefer);
        }
        if (random.chance(0.4)) await this.#attempt(wish, random.between(0, 2), 'respond-async');
      }
      await sleep(random.between(100, 900));
    }
  }

  async #attempt(wish: Wish, replica: number, prefer: string): Promise<void> {
    let status: number;
    let answer: { id?: string; error?: { code: string; job_id?: string } };
    try {
      const response = await fetch(`${await this.#cluster.replicas[replica]?.url()}/api/send`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          prefer,
          ...(wish.key === null ? {} : { 'idempotency-key': wish.key }),
        },
        body: JSON.stringify({ phone_number: recipient, message: wish.body }),
        signal: AbortSignal.timeout(15_000),
      });
      status = response.status;
      answer = (await response.json()) as typeof answer;
    } catch {
      // The replica died, or is not there: nobody knows.
      return;
    }
    const id = answer.id ?? answer.error?.job_id;
    const isSeenThrough = status === 200 || status === 202 || status === 502 || status === 504;
    if (status === 200) wish.isSent = true;
    if (isSeenThrough) wish.isAccepted = true;
    // A 503 with an id may have left a job; where it did, the job is judged like any other once it is known.
    if (id !== undefined && (isSeenThrough || wish.key !== null)) wish.jobs.add(id);
    if (!isSeenThrough && status !== 503)
      this.#complain(`${wish.body}: answered ${status} ${JSON.stringify(answer)}`);
  }
}
