import type { Caller } from '../auth/authorize.js';
import type { ToldCode } from '../session/session-reader.js';
import { guestQrPage } from './guest-qr-page.js';
import { qrPage, secondsLeft } from './qr-page.js';

interface Viewer {
  readonly caller: Caller;
  readonly baseUrl: string;
  readonly needsKey: boolean;
}

interface Shown {
  readonly told: ToldCode;
  readonly left: number | null;
  readonly bytes: Buffer;
}

/** A base URL is what a client wrote into `Host`: more than a few are not worth keeping. */
const mostKinds = 16;

/**
 * `/qr` as bytes. It is the same for all who see it in the same way, until Redis says something else or a second of the
 * code's life has passed: those after the first get what was rendered for the first.
 */
export function createQrPageCache(): (told: ToldCode, viewer: Viewer) => Buffer {
  const shown = new Map<string, Shown>();
  return (told, { caller, baseUrl, needsKey }) => {
    const isVisitor = caller.scope === 'qr';
    const isLoggedIn = caller.via === 'cookie';
    const left = isVisitor ? null : secondsLeft(told.status, Date.now());
    const kind = isVisitor ? 'visitor' : `${needsKey} ${isLoggedIn} ${baseUrl}`;
    const last = shown.get(kind);
    if (last !== undefined && last.told === told && last.left === left) return last.bytes;
    const page = isVisitor
      ? guestQrPage(told.status.state, told.image)
      : qrPage({ ...told, baseUrl, secondsLeft: left, needsKey, isLoggedIn });
    const bytes = Buffer.from(page);
    if (last === undefined && shown.size === mostKinds) shown.clear();
    shown.set(kind, { told, left, bytes });
    return bytes;
  };
}
