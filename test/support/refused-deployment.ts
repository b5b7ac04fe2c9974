import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Timing, timingSchema } from '../../src/contract/timing.js';
import { makeKeyText } from './credentials.js';
import { Deployment } from './deployment.js';
import { startReplica } from './http-replica.js';
import { type RefusingRedis, startRefusingRedis } from './refusing-redis.js';
import { startRedis } from './redis-server.js';

const loginFile = 'Default/IndexedDB/https_web.whatsapp.com_0.indexeddb.leveldb/000003.log';

/** A deployment whose Redis can refuse what supervisors and threads ask, and what the replica asks; it backs logins up. */
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
    const environment = { WHATSAPP_CREDENTIALS_KEY: makeKeyText() };
    return new RefusedDeployment(
      ...([redis, replica, timing, { redisPort: forSupervisors.port, environment }] as const),
      ...([forSupervisors, forReplica] as const),
    );
  }

  private constructor(
    ...[redis, replica, timing, options, forSupervisors, forReplica]: [
      ...ConstructorParameters<typeof Deployment>,
      RefusingRedis,
      RefusingRedis,
    ]
  ) {
    super(redis, replica, timing, options);
    this.forSupervisors = forSupervisors;
    this.forReplica = forReplica;
  }

  override async close(): Promise<void> {
    await super.close();
    await Promise.all([this.forSupervisors.close(), this.forReplica.close()]);
  }
}
