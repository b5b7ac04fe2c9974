import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../../src/contract/command-jobs.js';
import { eventually } from '../support/eventually.js';
import type { ChaosCluster, ChaosSession } from './cluster.js';
import { Random } from './random.js';

/** One message that a client sends, and the answers so far. */
interface SendRequest {
  readonly session: string;
  readonly body: string;
  readonly key: string | null;
  /** Ids of jobs in the answers. With a key there must be only one. */
  readonly jobs: Set<string>;
  /** An answer said that the message was sent. */
  isSent: boolean;
  /** An answer accepted the message. */
  isAccepted: boolean;
}

/** Outcomes of all requests, for the report. */
export interface SendTally {
  readonly requests: number;
  readonly accepted: number;
  readonly sent: number;
  readonly failed: number;
  readonly unknown: number;
}

/** Every accepted message must settle within this after the recovery. */
const settleMs = 90_000;
const recipient = '15550002222';

/**
 * Clients that send through every replica, with and without keys, one for each session. They repeat an unanswered request at
 * another replica. All use the same keys: a key counts for one session.
 */
export class Senders {
  readonly #cluster: ChaosCluster;
  readonly #complain: (what: string) => void;
  readonly #requests: SendRequest[] = [];
  readonly #loops: Promise<void>[];
  #isOver = false;
  #settledBy = 0;

  constructor(cluster: ChaosCluster, seed: number, complain: (what: string) => void) {
    this.#cluster = cluster;
    this.#complain = complain;
    this.#loops = cluster.sessions.map(({ name }, nth) => this.#send(name, new Random(seed + nth + 1)));
  }

  /** Resolves when no request is under way. Each request with a key has been accepted or given up by then. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
  }

  /** Waits until every accepted message has settled, and compares the answers with what WhatsApp's server received. */
  async judge(): Promise<SendTally> {
    // One deadline for all of them.
    this.#settledBy = performance.now() + settleMs;
    const tally = {
      requests: this.#requests.length,
      accepted: 0,
      sent: 0,
      failed: 0,
      unknown: 0,
    };
    const answered = new Map<SendRequest, Set<string>>();
    for (const request of this.#requests) {
      if (request.key !== null && request.jobs.size > 1)
        this.#complain(`${request.body}: one key, jobs ${[...request.jobs]}`);
      if (!request.isAccepted) continue;
      tally.accepted++;
      const outcomes = new Set<string>(request.isSent ? ['sent'] : []);
      for (const id of request.jobs) outcomes.add(await this.#outcome(request, id));
      if (outcomes.size !== 1)
        this.#complain(`${request.body}: outcomes ${[...outcomes].join(' and ') || 'none'}`);
      for (const outcome of outcomes)
        if (outcome === 'sent' || outcome === 'failed' || outcome === 'unknown') tally[outcome]++;
      answered.set(request, outcomes);
    }
    for (const session of this.#cluster.sessions) await this.#compareReceived(session, answered);
    return tally;
  }

  /** Compares the answers with what the account of a session received. */
  async #compareReceived(
    { name, account }: ChaosSession,
    answered: ReadonlyMap<SendRequest, Set<string>>,
  ): Promise<void> {
    const times = new Map<string, number>();
    const received = await account.phone.received();
    for (const { body } of received) times.set(body, (times.get(body) ?? 0) + 1);
    for (const request of this.#requests) {
      const count = times.get(request.body) ?? 0;
      if (request.session === name) this.#compare(request, answered.get(request) ?? new Set(), count);
      else if (count > 0) this.#complain(`${request.body}: received by the account of ${name}`);
    }
    this.#compareOrder(
      name,
      received.map(({ body }) => body),
    );
  }

  /** The client of a session sends a message only after the one before was accepted. All go to one chat. */
  #compareOrder(session: string, bodies: readonly string[]): void {
    const arrived = this.#requests
      .filter((request) => request.session === session && request.isAccepted)
      .map(({ body }) => ({ body, place: bodies.indexOf(body) }))
      .filter(({ place }) => place !== -1);
    arrived.forEach(({ body, place }, i) => {
      const first = arrived.slice(i + 1).find((later) => later.place < place);
      if (first !== undefined)
        this.#complain(`${body}: received after ${first.body}, which was accepted later`);
    });
  }

  #compare(request: SendRequest, outcomes: Set<string>, times: number): void {
    if (times > 1) this.#complain(`${request.body}: sent ${times} times`);
    if (outcomes.has('sent') && times === 0)
      this.#complain(`${request.body}: answered as sent, never received`);
    if (outcomes.has('failed') && times > 0)
      this.#complain(`${request.body}: answered as failed, but received`);
  }

  async #outcome(request: SendRequest, id: string): Promise<string> {
    let last: unknown;
    try {
      return (await eventually(
        async () => {
          const answer = await this.#cluster.replicas[0]?.get(`/api/sessions/${request.session}/jobs/${id}`);
          last = await answer?.json();
          if (answer?.status === 404) return 'forgotten';
          assert.equal(answer?.status, 200, JSON.stringify(last));
          const { status } = last as JobView;
          return status === 'queued' || status === 'active' ? null : status;
        },
        { timeoutMs: Math.max(0, this.#settledBy - performance.now()), intervalMs: 100 },
      )) as string;
    } catch {
      this.#complain(`${request.body}: did not settle: ${JSON.stringify(last)}`);
      return 'unsettled';
    }
  }

  async #send(session: string, random: Random): Promise<void> {
    for (let count = 1; !this.#isOver; count++) {
      const body = `message ${count} of ${session}`;
      const key = random.chance(0.7) ? `key-${count}` : null;
      const request: SendRequest = {
        ...{ session, body, key, jobs: new Set() },
        ...{ isSent: false, isAccepted: false },
      };
      this.#requests.push(request);
      const prefer = random.pick(['respond-async', 'wait=1', 'wait=4']);
      await this.#attempt(request, random.between(0, 2), prefer);
      if (key !== null) {
        // With a key the client repeats until a replica accepts. Some also repeat an accepted request elsewhere.
        for (let tries = 0; !request.isAccepted && tries < 100; tries++) {
          await sleep(300);
          await this.#attempt(request, random.between(0, 2), prefer);
        }
        if (random.chance(0.4)) await this.#attempt(request, random.between(0, 2), 'respond-async');
      }
      await sleep(random.between(100, 900));
    }
  }

  async #attempt(request: SendRequest, replica: number, prefer: string): Promise<void> {
    let status: number;
    let answer: { id?: string; error?: { code: string; job_id?: string } };
    try {
      const response = await fetch(
        `${await this.#cluster.replicas[replica]?.url()}/api/sessions/${request.session}/send`,
        {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            prefer,
            ...(request.key === null ? {} : { 'idempotency-key': request.key }),
          },
          body: JSON.stringify({ phone_number: recipient, message: request.body }),
          signal: AbortSignal.timeout(15_000),
        },
      );
      status = response.status;
      answer = (await response.json()) as typeof answer;
    } catch {
      // The replica died or is down: the outcome is unknown.
      return;
    }
    const id = answer.id ?? answer.error?.job_id;
    const isAccepting = status === 200 || status === 202 || status === 502 || status === 504;
    if (status === 200) request.isSent = true;
    if (isAccepting) request.isAccepted = true;
    // A 503 with an id may have left a job. If it did, the job is judged like any other.
    if (id !== undefined && (isAccepting || request.key !== null)) request.jobs.add(id);
    if (!isAccepting && status !== 503)
      this.#complain(`${request.body}: answered ${status} ${JSON.stringify(answer)}`);
  }
}
