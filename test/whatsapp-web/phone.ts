import { type PhoneChats, phoneChats } from './phone-chats.js';
import { type PhoneLinking, phoneLinking } from './phone-linking.js';
import { describe, type WhatsAppWebState } from './state.js';
import type { World } from './world.js';

/** The phone: it owns the account, scans QR codes and sees what is linked to it; and those it writes with. */
export interface Phone extends PhoneLinking, PhoneChats {
  state(): Promise<WhatsAppWebState>;
}

export function createPhone(world: World): Phone {
  return { ...phoneLinking(world), ...phoneChats(world), state: async () => describe(world) };
}
