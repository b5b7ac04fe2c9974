import type { Logger } from '../platform/logger.js';
import type { ChatEventData, EventRelay } from './event-relay.js';
import type { PhoneCompleter } from './phone-completer.js';
import type { ChatEvent } from './whatsapp/models.js';

interface RelayParts {
  readonly phones: PhoneCompleter;
  readonly relay: EventRelay;
  readonly log: Logger;
}

/** Relays chat events from the page to the event stream. Settles when they are in Redis. Until then the page keeps them. */
export async function relayChatEvents(
  { phones, relay, log }: RelayParts,
  events: readonly ChatEvent[],
  dropped: number,
): Promise<void> {
  if (dropped > 0) log.warn({ dropped }, 'too many events were waiting for Redis; the oldest were dropped');
  const messages = events.flatMap((event) => (event.type === 'message' ? event.data : []));
  const completed = await phones.completeSenders(messages);
  const relayed = events.map(
    ({ type, data }): ChatEventData =>
      type === 'message' ? { type, data: completed.shift() ?? data } : { type, data },
  );
  await relay.add(relayed);
}
