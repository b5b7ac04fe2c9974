import { commandLists } from '../../src/contract/keys.js';
import { type Timing, timingSchema } from '../../src/contract/timing.js';
import { makeKeyText } from './credentials.js';
import { Deployment, type OwnedSession } from './deployment.js';
import { eventually } from './eventually.js';
import { type Replica, startReplica } from './http-replica.js';
import type { HeldState } from './matrix/fault-row.js';
import { type RedisServer, startRedis } from './redis-server.js';
import { type RefusingRedis, startRefusingRedis } from './refusing-redis.js';

/** Two proxies in front of one Redis. */
interface Proxies {
  readonly redis: RedisServer;
  /** Their session workers use it too. */
  readonly forSupervisors: RefusingRedis;
  readonly forReplica: RefusingRedis;
}

/** A deployment whose Redis can refuse requests of the supervisors and of the replica. It backs logins up. */
export class RefusedDeployment extends Deployment {
  readonly forSupervisors: RefusingRedis;
  readonly forReplica: RefusingRedis;

  static async openRefused(timing: Partial<Timing>): Promise<RefusedDeployment> {
    const redis = await startRedis({ appendOnly: true });
    const [forSupervisors, forReplica] = await Promise.all([
      startRefusingRedis(redis.port),
      startRefusingRedis(redis.port),
    ]);
    const replica = await startReplica(forReplica.url, { timing: timingSchema.parse({}) });
    return new RefusedDeployment({ redis, forSupervisors, forReplica }, replica, timing);
  }

  private constructor(
    { redis, forSupervisors, forReplica }: Proxies,
    replica: Replica,
    timing: Partial<Timing>,
  ) {
    super(redis, replica, timing, {
      redisPort: forSupervisors.port,
      environment: { WHATSAPP_CREDENTIALS_KEY: makeKeyText() },
    });
    this.forSupervisors = forSupervisors;
    this.forReplica = forReplica;
  }

  /** Also waits until the jobs of the commands before have settled: those that Redis did not let settle stay active for a while. */
  override async hold(state: HeldState): Promise<OwnedSession> {
    const { redis, session } = this.observer;
    const areSettled = async () => {
      const lengths = await Promise.all(commandLists(session).map((list) => redis.llen(list)));
      return lengths.every((length) => length === 0);
    };
    await super.hold(state);
    await eventually(areSettled, { timeoutMs: 60_000, message: 'the jobs of the commands before settle' });
    return this.recovered(state);
  }

  override async close(): Promise<void> {
    await super.close();
    await Promise.all([this.forSupervisors.close(), this.forReplica.close()]);
  }
}
