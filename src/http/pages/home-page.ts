import type { QrPageView } from '../session/qr-page-view.js';
import { html } from './html.js';
import { layout } from './layout.js';
import { signOutForm } from './qr-page.js';
import { stateText } from './qr-parts.js';

interface HomePageInput {
  readonly status: QrPageView['status'];
  readonly baseUrl: string;
  readonly isLoggedIn: boolean;
}

/** What a browser gets at `/`: the state, and where to go. */
export function homePage({ status, baseUrl, isLoggedIn }: HomePageInput): string {
  return layout({
    title: 'WhatsApp session gateway',
    tone: status.ready ? 'good' : 'idle',
    isLive: true,
    footer: isLoggedIn ? signOutForm : null,
    content: html`<h1>WhatsApp session gateway</h1>
<p id="state" class="state" role="status">${stateText(status.state)}</p>
<nav aria-label="Pages"><ul>
<li><a href="qr">Link a phone</a>: the code, the state, and buttons to start and log out</li>
<li><a href="docs">API</a>: every request, to read and to try</li>
<li><a href="api/status">Status</a>: as JSON</li>
<li><a href="metrics">Metrics</a>: for Prometheus</li>
</ul></nav>
<p class="hint">AI agents connect to <code>${baseUrl}/mcp</code> (Model Context Protocol).</p>`,
  });
}
