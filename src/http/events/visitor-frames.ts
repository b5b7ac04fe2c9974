import { ApiError } from '../../contract/errors.js';
import type { EventType } from '../../contract/events.js';
import { eventFrame, type FeedEvent, type Presenter } from './frames.js';

/** What the holder of a QR link gets of the events: `state` as the bare state, and `qr`. Throws `forbidden`. */
export function presentToVisitors(types: ReadonlySet<EventType> | null): Presenter {
  const wanted = types ?? new Set<EventType>(['state', 'qr']);
  if ([...wanted].some((type) => type !== 'state' && type !== 'qr')) {
    throw new ApiError('forbidden', 'with a QR link only the types state and qr can be had');
  }
  return (event) => (wanted.has(event.type as EventType) ? reduced(event) : null);
}

function reduced({ type, json }: FeedEvent): Buffer {
  const { data, ...rest } = JSON.parse(json) as { data: { state?: unknown } };
  return eventFrame(
    type,
    JSON.stringify({ ...rest, data: type === 'state' ? { state: data.state } : data }),
    null,
  );
}
