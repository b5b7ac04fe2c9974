import type { Logger } from '../platform/logger.js';
import type { ChatEventData, EventRelay } from './event-relay.js';
import type { People } from './people.js';
import type { ChatEvent } from './whatsapp/in-page/events.js';
import { toAck, toMessage } from './whatsapp/models.js';

interface Parts {
  readonly people: People;
  readonly relay: EventRelay;
  readonly log: Logger;
}

/** Brings what the page has told to the event stream. Settles when it is in Redis: what cannot be taken stays in the page. */
export async function relayChatEvents(
  { people, relay, log }: Parts,
  events: readonly ChatEvent[],
  dropped: number,
): Promise<void> {
  if (dropped > 0) log.warn({ dropped }, 'too many events waited for redis; the oldest were dropped');
  const messages = events.flatMap((event) => (event.type === 'message' ? toMessage(event.message) : []));
  const completed = await people.completeSenders(messages);
  const told = events.flatMap((event): ChatEventData | [] => {
    if (event.type === 'message') return { type: 'message', data: completed.shift() ?? toMessage(null) };
    const data = toAck(event);
    return data === null ? [] : { type: 'message_ack', data };
  });
  await relay.add(told);
}
