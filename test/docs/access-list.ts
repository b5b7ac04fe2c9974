import { keyPrefix } from '../../src/contract/keys.js';
import { redisRights } from '../../src/contract/redis-rights.js';

/** The text of docs/redis-users.acl. */
export function accessList(): string {
  const granted = redisRights.map(({ name }) => `+${name}`).sort();
  const reach = `resetkeys ~${keyPrefix}:* resetchannels &${keyPrefix}:*`;
  return `user default off\nuser holdline on >change-me ${reach} -@all ${granted.join(' ')}\n`;
}
