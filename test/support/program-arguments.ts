import { printError, readArguments, UsageError } from '../../src/platform/command-line.js';

/** As `readArguments`, for programs that are run by hand: wrong arguments end the process with one sentence and 64. */
export const programArguments: typeof readArguments = (usage, options, positionalsMax) => {
  try {
    return readArguments(usage, options, positionalsMax);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    printError(error.message);
    process.exit(64);
  }
};
