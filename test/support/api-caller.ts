import { listenToEvents } from './event-client.js';
import { eventually } from './eventually.js';
import type { Product } from './product.js';

export interface Answer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

/** Calls the API as a client does: POST with a body, GET without one. */
export function apiCaller(product: () => Product) {
  return async <Body = { error: { code: string; message: string } }>(
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer<Body>> => {
    const response = await product().get(path, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: { 'content-type': 'application/json', ...headers },
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  };
}

/** Waits until the stream holds `count` events of the type; resolves to the data of all of them. */
export async function eventsOf(product: Product, type: string, count: number): Promise<Event[]> {
  const client = await listenToEvents(await product.url(), { query: `?types=${type}`, lastEventId: '1-0' });
  try {
    const received = () => client.events.filter((event) => event.type === type);
    await eventually(() => received().length >= count, {
      timeoutMs: 60_000,
      message: `${count} events ${type}`,
    });
    return received().map(({ body }) => body.data as unknown as Event);
  } finally {
    client.close();
  }
}

type Event = Readonly<Record<string, unknown>>;
