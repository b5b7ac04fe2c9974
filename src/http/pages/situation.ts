import type { QrPageView } from '../session/qr-page-view.js';
import type { Html } from './html.js';
import type { Tone } from './layout.js';
import type { Place } from './place.js';

/** What a person must know and do in a state. */
export interface StateHelp {
  readonly heading: string;
  readonly tone: Tone;
  readonly content: Html;
}

export interface Situation extends Omit<QrPageView, 'json'> {
  /** The URL of this server in the commands that are shown. */
  readonly baseUrl: string;
  readonly place: Place;
  /** Requests need an API key, and the commands that are shown pass one. */
  readonly needsKey: boolean;
  /** The viewer may answer WhatsApp's request for a passkey. */
  readonly isOperator: boolean;
}
