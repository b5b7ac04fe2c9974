import type { OnBound } from '../../src/contract/bounds.js';

/** For a test that does not ask which bounds are reached. */
export const onBound: OnBound = () => undefined;
