import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { SessionEvent } from '../../src/contract/events.js';
import { eventually } from './eventually.js';

export interface ReceivedEvent {
  readonly id: string | null;
  readonly type: string;
  readonly body: SessionEvent & { readonly oldest_id?: string | null };
}

/** A client of `GET /api/events` that keeps all it receives. */
export interface EventClient {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** The raw stream. */
  readonly text: string;
  readonly blocks: readonly string[];
  readonly events: readonly ReceivedEvent[];
  /** Kept as a browser keeps it. */
  readonly lastEventId: string | null;
  readonly hasEnded: boolean;
  /** The server ended the response; the connection did not break. */
  readonly isComplete: boolean;
  untilCount(count: number, timeoutMs?: number): Promise<readonly ReceivedEvent[]>;
  untilEnd(): Promise<void>;
  /** Stops reading. */
  pause(): void;
  resume(): void;
  close(): void;
}

export async function listenToEvents(
  baseUrl: string,
  options: {
    path?: string;
    query?: string;
    lastEventId?: string | null;
    headers?: Record<string, string>;
  } = {},
): Promise<EventClient> {
  const { path = '/api/events', query = '', lastEventId } = options;
  const headers = { ...options.headers, ...(lastEventId ? { 'last-event-id': lastEventId } : {}) };
  const request = get(`${baseUrl}${path}${query}`, { headers, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  let text = '';
  let hasEnded = false;
  const blocks: string[] = [];
  const events: ReceivedEvent[] = [];
  let lastId: string | null = lastEventId ?? null;
  let rest = '';
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    text += chunk;
    const complete = (rest + chunk).split('\n\n');
    rest = complete.pop() ?? '';
    for (const block of complete) {
      blocks.push(block);
      const fields = new Map(block.split('\n').map((line) => line.split(/: (.*)/, 2) as [string, string]));
      lastId = fields.get('id') ?? lastId;
      const data = fields.get('data');
      if (data === undefined) continue;
      events.push({ id: fields.get('id') ?? null, type: fields.get('event') ?? '', body: JSON.parse(data) });
    }
  });
  response.on('error', () => undefined);
  response.on('close', () => {
    hasEnded = true;
  });
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    blocks,
    events,
    get text() {
      return text;
    },
    get lastEventId() {
      return lastId;
    },
    get hasEnded() {
      return hasEnded;
    },
    get isComplete() {
      return response.complete;
    },
    async untilCount(count, timeoutMs = 30_000) {
      await eventually(() => events.length >= count, { timeoutMs, message: `${count} events` });
      return events;
    },
    untilEnd: async () =>
      void (await eventually(() => hasEnded, { timeoutMs: 30_000, message: 'the end of the stream' })),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => void request.destroy(),
  };
}
