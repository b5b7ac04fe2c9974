import type { OperationFunctions } from './parts.js';

const pairingCodeMs = 15_000;

/** The operations of contract/operations/session.ts that need the page. */
export const sessionFunctions = {
  async pairingCode({ client }, { phone_number }) {
    const { code, expires_at } = await client.codes.requestPairingCode(phone_number, pairingCodeMs);
    return { code, expires_at };
  },
} satisfies Partial<OperationFunctions>;
