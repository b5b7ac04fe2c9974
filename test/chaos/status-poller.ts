import { setTimeout as sleep } from 'node:timers/promises';
import { formatFence, type Status } from '../../src/contract/status.js';
import type { ChaosCluster, ChaosSession } from './cluster.js';

/** Polls the statuses of every replica, one session after another, and checks each answer. */
export class StatusPoller {
  readonly tally = { answers: 0, ready: 0, unavailable: 0, unreachable: 0 };
  readonly #cluster: ChaosCluster;
  readonly #complain: (what: string) => void;
  readonly #loops: Promise<void>[];
  /** By session. */
  readonly #newest = new Map<string, Life>();
  #isOver = false;

  constructor(cluster: ChaosCluster, complain: (what: string) => void) {
    this.#cluster = cluster;
    this.#complain = complain;
    this.#loops = [0, 1, 2].map((replica) => this.#poll(replica));
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    const { browsers, sessions } = this.#cluster;
    for (const { name, account } of sessions) {
      const { mostActingAtOnce, devices } = await account.phone.state();
      if (mostActingAtOnce > 1) this.#complain(`${name}: ${mostActingAtOnce} pages acted at once`);
      if (devices.length !== 1)
        this.#complain(`${name}: ${devices.length} devices are linked to its account`);
      const most = browsers.most.get(name) ?? 0;
      if (most > 1) this.#complain(`${name}: ${most} browsers lived at once`);
    }
    const straying = await this.#cluster.straying();
    if (straying > 0) this.#complain(`${straying} pages did not use the proxy of their session`);
  }

  async #poll(replica: number): Promise<void> {
    for (let nth = replica; !this.#isOver; nth++, await sleep(100)) {
      const { name, wid } = this.#cluster.sessions[nth % this.#cluster.sessions.length] as ChaosSession;
      // This answer must not be older than any that a replica has already given.
      const known = this.#newest.get(name) ?? { epoch: 0, incarnation: 0 };
      let answer: Response;
      let body: Status & { error?: { code: string } };
      try {
        answer = await fetch(`${await this.#cluster.replicas[replica]?.url()}/api/sessions/${name}/status`, {
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
        this.#complain(`replica ${replica} answered ${answer.status} ${JSON.stringify(body)} for ${name}`);
        continue;
      }
      if (body.ready) this.tally.ready++;
      if (body.session !== name || (body.account !== null && body.account.wid !== wid))
        this.#complain(`${name} was answered with ${body.session}, ${body.account?.wid}`);
      if (body.state === 'qr' || body.state === 'stopped' || body.state === 'auth_failure') {
        this.#complain(`replica ${replica} said ${name} is ${body.state}: ${body.last_error}`);
      }
      if (isBefore(body, known))
        this.#complain(`${name}: ${formatFence(body)} was answered after ${formatFence(known)}`);
      const { epoch, incarnation } = body;
      if (isBefore(this.#newest.get(name) ?? known, body)) this.#newest.set(name, { epoch, incarnation });
    }
  }
}

type Life = Pick<Status, 'epoch' | 'incarnation'>;

function isBefore(a: Life, b: Life): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.incarnation < b.incarnation);
}
