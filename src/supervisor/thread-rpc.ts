import { randomUUID } from 'node:crypto';
import { HoldlineError } from '../contract/errors.js';
import type { FromThread, ToThread } from '../contract/thread-messages.js';
import type { CommandName } from '../contract/worker-commands.js';
import { withDeadline } from '../platform/deadline.js';

/** The session worker refused the command. */
export class CommandRefusedError extends HoldlineError {}

/** It is not known what the command has done: the session worker ended, or did not answer in time. */
export class CommandInterruptedError extends HoldlineError {
  constructor(message: string) {
    super('interrupted', message);
  }
}

/** The session worker works, but WhatsApp did not answer it. */
export class CommandUnansweredError extends CommandInterruptedError {}

/** Timeout of a call that uses the page: longer than the session worker's own timeout for the page. */
export const pageCallMs = 35_000;

type Answer = Extract<FromThread, { type: 'answer' | 'refusal' }>;

interface Pending {
  readonly resolve: (output: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls one session worker's thread and matches its answers to the calls. */
export class ThreadRpc {
  readonly #pending = new Map<string, Pending>();
  readonly #post: (message: ToThread) => void;
  #isClosed = false;

  constructor(post: (message: ToThread) => void) {
    this.#post = post;
  }

  /** A call waits for its answer. */
  get isBusy(): boolean {
    return this.#pending.size > 0;
  }

  /**
   * `requestIds`: of all requests that this call serves, for the log. Throws {@link CommandRefusedError} or
   * {@link CommandInterruptedError}.
   */
  async call<Output>(
    operation: CommandName,
    input: unknown,
    { timeoutMs, requestIds }: { readonly timeoutMs: number; readonly requestIds: readonly string[] },
  ): Promise<Output> {
    if (this.#isClosed) throw new CommandInterruptedError('the session worker has ended');
    const id = randomUUID();
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
    });
    this.#post({ type: 'command', id, requestIds, operation, input });
    try {
      return (await withDeadline(answer, timeoutMs, 'the session worker')) as Output;
    } catch (error) {
      if (error instanceof CommandRefusedError || error instanceof CommandInterruptedError) throw error;
      throw new CommandInterruptedError((error as Error).message);
    } finally {
      this.#pending.delete(id);
    }
  }

  settle(message: Answer): void {
    const pending = this.#pending.get(message.id);
    if (message.type === 'answer') pending?.resolve(message.output);
    else if (message.code === 'interrupted') pending?.reject(new CommandInterruptedError(message.message));
    else if (message.code === 'unanswered') pending?.reject(new CommandUnansweredError(message.message));
    else pending?.reject(new CommandRefusedError(message.code, message.message));
  }

  /** The session worker has ended. Rejects all pending calls, and every later one. */
  close(): void {
    this.#isClosed = true;
    for (const { reject } of this.#pending.values()) {
      reject(new CommandInterruptedError('the session worker ended'));
    }
  }
}
