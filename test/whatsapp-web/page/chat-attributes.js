// Builds the attributes of the page's chats.

import { Model } from './models.js';
import { createWid } from './wid.js';

/** Throws what the page's database throws for a missing key. */
export function checkedKey(id) {
  if (id !== undefined && id !== null) return id;
  const text = "Failed to execute 'get' on 'IDBObjectStore': No key or key range specified.";
  throw new DOMException(text, 'DataError');
}

export function chatAttributes({
  name,
  unreadCount = 0,
  isReadOnly = false,
  isArchived = false,
  isPinned,
  isMuted,
}) {
  return {
    name,
    formattedTitle: name,
    unreadCount,
    isReadOnly,
    archive: isArchived,
    pin: isPinned ? 1 : undefined,
    muteExpiration: isMuted ? -1 : 0,
  };
}

export function describeGroup(metadata, { name, isReadOnly = false, participants = [] }) {
  metadata.set({ subject: name, announce: isReadOnly });
  for (const id of participants) {
    if (!metadata.participants.get(id)) {
      metadata.participants.add(new Model({ id: createWid(id), isAdmin: false, isSuperAdmin: false }));
    }
  }
}
