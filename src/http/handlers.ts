import type { z } from 'zod';
import type { OperationName, OutputOf, operations } from '../contract/operations.js';
import type { Status } from '../contract/status.js';
import { endSession } from './session/end-session.js';
import type { RunAccess } from './session/run-access.js';
import type { SessionReader } from './session/session-reader.js';
import { startSession } from './session/start-session.js';

/** What a caller says beside the input, whatever it speaks. */
export interface Call {
  /** Where this product is reached, without a slash at the end. */
  readonly baseUrl: string;
  /** `Prefer: wait`; null where nothing usable was said. */
  readonly preferredWaitS: number | null;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface Result<Output> {
  /** The output; or the same as JSON already, where the writer stored what the reader sends. */
  readonly body: Output | Json<Output>;
  /** The wait that was granted; absent where the operation knows none or none was preferred. */
  readonly appliedWaitS?: number;
}

/** JSON text of a value of type T. */
export class Json<T> {
  declare readonly type: T;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** One handler for each operation of the table; forgetting one is a type error. */
export type Handlers = {
  readonly [Name in OperationName]: (
    input: z.infer<(typeof operations)[Name]['input']>,
    call: Call,
  ) => Promise<Result<OutputOf<Name>>>;
};

const productName = 'holdline';

export function createHandlers(reader: SessionReader, run: RunAccess): Handlers {
  return {
    async health(_input, { baseUrl }) {
      const facts = JSON.stringify({ ok: true, name: productName, mcp: `${baseUrl}/mcp` });
      const { json } = await reader.status();
      return { body: new Json(`${facts.slice(0, -1)},"status":${json}}`) };
    },

    async status() {
      return { body: new Json<Status>((await reader.status()).json) };
    },

    async startAuth(_input, { preferredWaitS, signal }) {
      const waitMs = preferredWaitS === null ? run.timing.authStartWaitMs : preferredWaitS * 1_000;
      const body = await startSession(run, { waitMs, signal });
      return preferredWaitS === null ? { body } : { body, appliedWaitS: preferredWaitS };
    },

    async stop() {
      await endSession(run, 'stop');
      return { body: { ok: true } };
    },

    async logout() {
      const { unlinked } = await endSession(run, 'logout');
      return { body: { ok: true, unlinked } };
    },
  };
}
