import type { SessionEvent } from '../../../src/contract/events.js';

/** The event of an ordinary incoming message: one line of text from a person. */
export function messageEvent(session: string, n: number): SessionEvent<'message'> {
  const at = new Date().toISOString();
  const from = '4915112345678@c.us';
  return {
    type: 'message',
    session,
    at,
    data: {
      id: `false_${from}_3EB0${n.toString(16).toUpperCase().padStart(16, '0')}`,
      ...{ from, to: '15550001111@c.us', author: null, from_me: false, chat_id: from },
      ...{ type: 'chat', body: 'Good morning, is the blue one still available? I could come by at noon.' },
      ...{ timestamp: Math.floor(Date.parse(at) / 1_000), has_media: false, is_truncated: false },
      sender: { id: from, phone: '4915112345678', lid: '990001111@lid', name: 'Ada Example' },
    },
  };
}
