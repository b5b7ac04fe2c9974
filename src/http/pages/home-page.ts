import { defaultSession, qrPagePath } from '../../contract/names.js';
import type { OutputOf } from '../../contract/operations.js';
import { type Html, html } from './html.js';
import { layout } from './layout.js';
import { topPlace } from './place.js';
import { signOutForm } from './qr-page.js';
import { stateText } from './qr-parts.js';

interface HomePageInput {
  /** The sessions that the viewer may use, as far as they are listed. */
  readonly list: Pick<OutputOf<'sessions'>, 'sessions' | 'next_cursor'>;
  /** The viewer may use all sessions. */
  readonly isUnbound: boolean;
  readonly baseUrl: string;
  readonly isLoggedIn: boolean;
}

type Listed = HomePageInput['list']['sessions'][number];

/** What a browser gets at `/`: the states of the sessions, and where to go. */
export function homePage({ list, isUnbound, baseUrl, isLoggedIn }: HomePageInput): string {
  const main = list.sessions.find(({ session }) => session === defaultSession);
  const others = list.sessions.filter((each) => each !== main);
  return layout({
    title: 'WhatsApp session gateway',
    tone: main?.status.ready ? 'good' : 'idle',
    isLive: true,
    ...(others.length === 0 ? {} : { events: 'api/events?sessions=*&types=state' }),
    footer: isLoggedIn ? signOutForm(topPlace) : null,
    content: html`<h1>WhatsApp session gateway</h1>
${main === undefined ? null : html`<p id="state" class="state" role="status">${stateText(main.status.state)}</p>`}
<nav aria-label="Pages"><ul>
${main === undefined ? null : html`<li><a href="qr">Link a phone</a>: the code, the state, and buttons to start and log out</li>`}
<li><a href="docs">API</a>: every request, to read and to try</li>
${main === undefined ? null : html`<li><a href="api/status">Status</a>: as JSON</li>`}
${isUnbound ? html`<li><a href="metrics">Metrics</a>: for Prometheus</li>` : null}
</ul></nav>
${others.length === 0 ? null : sessionList(main === undefined ? 'Sessions' : 'Other sessions', others, list.next_cursor !== null)}
<p class="hint">AI agents connect to <code>${baseUrl}/mcp</code> (Model Context Protocol).</p>`,
  });
}

function sessionList(title: string, sessions: readonly Listed[], isCut: boolean): Html {
  const items = sessions.map(
    ({ session, status }) =>
      html`<li><a href="${qrPagePath(session).slice(1)}">${session}</a>: ${status.state}</li>
`,
  );
  return html`<section id="sessions" aria-label="${title}"><h2>${title}</h2><ul>
${items}</ul>${isCut ? html`<p>There are more: <a href="api/sessions">GET /api/sessions</a> lists all.</p>` : null}</section>`;
}
