import { type ParseArgsConfig, parseArgs } from 'node:util';
import { messageOf, OperatorError } from '../contract/errors.js';

/** A command was called wrongly. The message ends with its usage. Exit code 64. */
export class UsageError extends OperatorError {
  constructor(problem: string, usage: string) {
    super(`${problem}: ${usage}`);
  }
}

/** The caller asked for `--help`. */
class HelpRequest extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>;

/**
 * Parses the arguments of this process. Only for {@link runCommand}: it prints the usage for `--help`. Throws
 * {@link UsageError} for an unknown option, a missing value, or more than `positionalsMax` other arguments.
 */
export function readArguments<const T extends Options>(usage: string, options: T, positionalsMax = 0) {
  const args = process.argv.slice(2);
  if (args.some((arg) => arg === '--help' || arg === '-h')) throw new HelpRequest(usage);
  const parsed = parse(usage, args, options);
  const unexpected = parsed.positionals[positionalsMax];
  if (unexpected !== undefined) throw new UsageError(`there is an argument too many, '${unexpected}'`, usage);
  return parsed;
}

function parse<const T extends Options>(usage: string, args: string[], options: T) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(problemOf(error), usage);
  }
}

/** Node's sentences explain more than its caller asked. */
function problemOf(error: unknown): string {
  const message = messageOf(error);
  const [, option = ''] = /'(--?[^\s'<]+)/.exec(message) ?? [];
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ERR_PARSE_ARGS_UNKNOWN_OPTION':
      return `there is no option ${option}`;
    case 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE':
      return /does not take/.test(message) ? `${option} takes no value` : `${option} needs a value`;
    default:
      return message;
  }
}

/**
 * Runs a command. What an operator has to change is one sentence, without a stack, and the exit code: 64 for a
 * {@link UsageError}, 78 for every other {@link OperatorError}, or `exitCodeOf(error)`.
 */
export async function runCommand(
  command: () => Promise<void>,
  exitCodeOf: (error: unknown) => number | null = () => null,
): Promise<void> {
  try {
    await command();
  } catch (error) {
    if (error instanceof HelpRequest) {
      process.stdout.write(`${error.message}\n`);
      return;
    }
    const code = error instanceof UsageError ? 64 : error instanceof OperatorError ? 78 : exitCodeOf(error);
    if (code === null) throw error;
    printError((error as Error).message);
    process.exitCode = code;
  }
}

export function printError(message: string): void {
  process.stderr.write(`holdline: ${message}\n`);
}
