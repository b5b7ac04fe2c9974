import type { Caller } from '../core/caller.js';
import type { QrPageView } from '../session/qr-page-view.js';
import { guestQrPage } from './guest-qr-page.js';
import type { Place } from './place.js';
import { qrPage, secondsLeft } from './qr-page.js';

interface Viewer {
  readonly caller: Caller;
  readonly baseUrl: string;
  readonly needsKey: boolean;
  readonly isOperator: boolean;
}

interface CachedPage {
  readonly view: QrPageView;
  readonly left: number | null;
  readonly bytes: Buffer;
}

/** The base URL in a cache key comes from the client's `Host` header: without a limit a client could fill the memory. */
const maxPages = 16;

/**
 * Renders the page with the QR of one session, once for all viewers who get the same page. A page is rendered again when the session in Redis has changed, or
 * when the countdown of the code has moved by a second.
 */
export function createQrPageCache(place: Place): (view: QrPageView, viewer: Viewer) => Buffer {
  const pages = new Map<string, CachedPage>();
  return (view, { caller, baseUrl, needsKey, isOperator }) => {
    const isGuest = caller.scope === 'guest';
    const isLoggedIn = caller.via === 'cookie';
    const left = isGuest ? null : secondsLeft(view, Date.now());
    const key = isGuest ? 'guest' : `${needsKey} ${isLoggedIn} ${isOperator} ${baseUrl}`;
    const cached = pages.get(key);
    if (cached !== undefined && cached.view === view && cached.left === left) return cached.bytes;
    const page = isGuest
      ? guestQrPage(view, place)
      : qrPage({ ...view, baseUrl, place, secondsLeft: left, needsKey, isOperator, isLoggedIn });
    const bytes = Buffer.from(page);
    if (cached === undefined && pages.size === maxPages) pages.clear();
    pages.set(key, { view, left, bytes });
    return bytes;
  };
}
