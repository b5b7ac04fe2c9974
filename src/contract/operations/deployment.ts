import { keyOperations } from './keys.js';
import type { Operation } from './operation.js';
import { registerOperations } from './register.js';

/** The operations on the deployment as a whole, and on its parts: they are not at the paths of a session. */
export const deploymentOperations = { ...registerOperations, ...keyOperations } as const satisfies Record<
  string,
  Operation
>;
