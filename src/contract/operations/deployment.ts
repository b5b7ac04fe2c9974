import type { Operation } from './operation.js';

/** The operations on the deployment as a whole, and on its parts: they are not at the paths of a session. */
export const deploymentOperations = {} as const satisfies Record<string, Operation>;
