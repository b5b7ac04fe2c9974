import { setTimeout as sleep } from 'node:timers/promises';
import { formatFence, type Status } from '../../src/contract/status.js';
import type { ChaosCluster } from './cluster.js';

/** Polls the status of every replica and checks each answer. */
export class StatusPoller {
  readonly tally = { answers: 0, ready: 0, unavailable: 0, unreachable: 0 };
  readonly #cluster: ChaosCluster;
  readonly #complain: (what: string) => void;
  readonly #loops: Promise<void>[];
  #newest = { epoch: 0, incarnation: 0 };
  #isOver = false;

  constructor(cluster: ChaosCluster, complain: (what: string) => void) {
    this.#cluster = cluster;
    this.#complain = complain;
    this.#loops = [0, 1, 2].map((replica) => this.#poll(replica));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    const { mostActingAtOnce } = await this.#cluster.whatsApp.phone.state();
    if (mostActingAtOnce > 1) this.#complain(`${mostActingAtOnce} pages acted for the account at once`);
    const { most } = this.#cluster.browsers;
    if (most > 1) this.#complain(`${most} browsers lived at once`);
  }

  async #poll(replica: number): Promise<void> {
    for (; !this.#isOver; await sleep(150)) {
      // This answer must not be older than any that a replica has already given.
      const known = this.#newest;
      let answer: Response;
      let body: Status & { error?: { code: string } };
      try {
        answer = await fetch(`${await this.#cluster.replicas[replica]?.url()}/api/status`, {
          signal: AbortSignal.timeout(10_000),
        });
        body = (await answer.json()) as typeof body;
      } catch (error) {
        this.tally.unreachable++;
        if (replica === 0) this.#complain(`replica 0 did not answer: ${String(error)}`);
        continue;
      }
      this.tally.answers++;
      if (answer.status === 503 && body.error?.code === 'redis_unavailable') {
        this.tally.unavailable++;
        continue;
      }
      if (answer.status !== 200) {
        this.#complain(`replica ${replica} answered ${answer.status} ${JSON.stringify(body)}`);
        continue;
      }
      if (body.ready) this.tally.ready++;
      if (body.state === 'qr' || body.state === 'stopped' || body.state === 'auth_failure') {
        this.#complain(`replica ${replica} said ${body.state}: ${body.last_error}`);
      }
      if (isBefore(body, known))
        this.#complain(`${formatFence(body)} was answered after ${formatFence(known)}`);
      if (isBefore(this.#newest, body)) this.#newest = { epoch: body.epoch, incarnation: body.incarnation };
    }
  }
}

type Life = Pick<Status, 'epoch' | 'incarnation'>;

function isBefore(a: Life, b: Life): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.incarnation < b.incarnation);
}
