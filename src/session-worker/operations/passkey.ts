import type { PasskeyCeremony } from '../passkey-ceremony.js';
import { notPending } from '../passkey-request.js';
import { notRequested } from '../passkey-sentences.js';
import type { CommandParts, OperationFunctions } from './parts.js';

/** The operations of contract/operations/passkey.ts that need the page. */
export const passkeyFunctions = {
  async passkeyAnswer(parts, { id, token }) {
    // First, so that none is left in Redis.
    const credential = await parts.takePasskeyAnswer(token);
    const ceremony = requireCeremony(parts);
    ceremony.answer(id, credential);
    return { ok: true, passkey: ceremony.status };
  },

  async passkeyConfirm(parts, { id, code }) {
    const ceremony = requireCeremony(parts);
    await ceremony.confirm(id, code);
    return { ok: true, passkey: ceremony.status };
  },

  async passkeyRetry(parts, { id }) {
    const ceremony = requireCeremony(parts);
    await ceremony.retry(id);
    return { ok: true, passkey: ceremony.status };
  },

  async passkeyCancel(parts, { id }) {
    requireCeremony(parts);
    parts.passkey.cancel(id);
    return { ok: true, passkey: null };
  },
} satisfies Partial<OperationFunctions>;

function requireCeremony({ passkey }: CommandParts): PasskeyCeremony {
  if (passkey.ceremony === null) throw notPending(notRequested);
  return passkey.ceremony;
}
