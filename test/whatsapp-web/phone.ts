import { type PhoneChats, phoneChats } from './phone-chats.js';
import { type PhoneLinking, phoneLinking } from './phone-linking.js';
import { describe, type WhatsAppWebState } from './state.js';
import type { World } from './world.js';

/** The phone that owns the account: it scans QR codes, shows linked devices, and has the chats. */
export interface Phone extends PhoneLinking, PhoneChats {
  state(): Promise<WhatsAppWebState>;
}

export function createPhone(world: World): Phone {
  return { ...phoneLinking(world), ...phoneChats(world), state: async () => describe(world) };
}
