import { ApiError } from '../contract/errors.js';
import { operations } from '../contract/operations.js';
import type { ApiKeys } from './auth/api-keys.js';
import { readForm } from './core/body.js';
import type { Exchange, FailedRequest } from './core/exchange.js';
import { acceptsHtml } from './core/headers.js';
import { htmlType, send } from './core/responses.js';
import { formBody, found, type RouteDoc, textSchema } from './core/route-doc.js';
import { invalidRequest, parseInput } from './core/validation.js';
import { composeCall, type Handlers } from './operations/call.js';
import { homePage } from './pages/home-page.js';
import { pageHeaders } from './pages/layout.js';
import { problemPage } from './pages/problem-page.js';
import {
  codeFormPage,
  formProblemPage,
  logoutFormPage,
  type QrAction,
  qrActions,
  stopFormPage,
} from './pages/qr-forms.js';
import type { SessionRoute } from './session-routes.js';
import type { Session } from './sessions.js';

interface QrRouteParts {
  readonly apiKeys: Pick<ApiKeys, 'isEmpty'>;
  readonly handlers: Handlers;
}

/** For a person, who does not see the names of fields. */
const phoneNumberRule =
  'The number must include the country code and contain 8-15 digits, as in +1 555 123 4567.';

/** How long the form Start waits for a code. The page then shows how far it is. */
const startWaitS = 10;

/** `/qr` and `/qr.png`, for an admin and for a guest who opened a QR link; and the forms of the admin's page. */
export function createQrRoutes({ apiKeys, handlers }: QrRouteParts): SessionRoute[] {
  const carryOut = createFormActions(handlers);
  const route = { method: 'GET', scope: 'admin', isForGuests: true } as const;
  const formRoute = { path: '/qr-form', scope: 'admin', problemPage: formRefusalPage } as const;
  return [
    {
      ...{ ...route, path: '/qr', problemPage, doc: pageDoc },
      async handle({ response, caller, admission: { baseUrl } }, { readQrPage, renderQrPage }) {
        const viewer = { caller, baseUrl, needsKey: !apiKeys.isEmpty };
        send(response, 200, htmlType, renderQrPage(await readQrPage(), viewer), pageHeaders);
      },
    },
    {
      ...{ ...formRoute, method: 'GET', doc: formPageDoc },
      async handle({ response, target }) {
        const form = formIn(target.search);
        if (form === null) response.writeHead(303, { location: 'qr' }).end();
        else send(response, 200, htmlType, form, pageHeaders);
      },
    },
    {
      ...{ ...formRoute, method: 'POST', isLimited: true, doc: formDoc },
      async handle(exchange, session) {
        if (!exchange.admission.isOwnOrigin) throw notFromOurPage();
        const form = await readForm(exchange);
        const action = qrActions.find((each) => each === form.get('do'));
        if (action === undefined) throw unknownAction();
        try {
          await carryOut[action](exchange, session, form);
        } catch (error) {
          if (!(error instanceof ApiError) || !acceptsHtml(exchange.request)) throw error;
          const phoneNumber = form.get('phone_number');
          const problem = error.code === 'invalid_request' ? phoneNumberRule : error.message;
          const page = phoneNumber === null ? formProblemPage(error) : codeFormPage({ phoneNumber, problem });
          return send(exchange.response, error.status, htmlType, page, { ...error.headers, ...pageHeaders });
        }
        exchange.response.writeHead(303, { location: 'qr' }).end();
      },
    },
    { ...route, path: '/qr.png', doc: imageDoc, handle: answerPng },
  ];
}

/** It stays until the person goes back: a live page would follow the session at once, and hide the reason. */
function formRefusalPage(error: ApiError, request: FailedRequest): string {
  return error.code === 'forbidden' ? problemPage(error, request) : formProblemPage(error);
}

/** The form that the query asks for; null: none. */
function formIn(search: string): string | null {
  const form = new URLSearchParams(search).get('do');
  switch (form) {
    case 'code':
      return codeFormPage();
    case 'logout':
      return logoutFormPage;
    case 'stop':
      return stopFormPage;
    default:
      return null;
  }
}

type FormAction = (exchange: Exchange, session: Session, form: URLSearchParams) => Promise<unknown>;

/** What each form does: the operations of the table, as over the API. */
function createFormActions(handlers: Handlers): Readonly<Record<QrAction, FormAction>> {
  const call = (
    exchange: Exchange,
    session: Session,
    name: 'startAuth' | 'stop' | 'logout' | 'pairingCode',
  ) => composeCall(exchange, session, operations[name], null);
  const start: FormAction = (exchange, session) =>
    handlers.startAuth({}, { ...call(exchange, session, 'startAuth'), preferredWaitS: startWaitS });
  return {
    start,
    async restart(exchange, session, form) {
      await handlers.stop({}, call(exchange, session, 'stop'));
      await start(exchange, session, form);
    },
    code(exchange, session, form) {
      const input = parseInput(operations.pairingCode.input, {
        phone_number: form.get('phone_number') ?? '',
      });
      return handlers.pairingCode(input, call(exchange, session, 'pairingCode'));
    },
    stop: (exchange, session) => handlers.stop({}, call(exchange, session, 'stop')),
    logout: (exchange, session) => handlers.logout({}, call(exchange, session, 'logout')),
  };
}

function notFromOurPage(): ApiError {
  return new ApiError(
    'origin_not_allowed',
    'the forms of /qr work only on that page; a program uses the API, such as POST /api/auth/start',
  );
}

function unknownAction(): ApiError {
  return invalidRequest([{ path: 'do', message: `must be one of ${qrActions.join(', ')}` }]);
}

/** `GET /` of the table of operations, with a page for browsers. */
export function withHomePage(routes: readonly SessionRoute[]): SessionRoute[] {
  return routes.map((route) => {
    if (route.path !== '/') return route;
    return {
      ...{ ...route, problemPage },
      async handle(exchange, session) {
        const { request, response, caller, admission } = exchange;
        if (!acceptsHtml(request)) return route.handle(exchange, session);
        const { status } = await session.reader.status();
        const page = homePage({ status, baseUrl: admission.baseUrl, isLoggedIn: caller.via === 'cookie' });
        send(response, 200, htmlType, page, pageHeaders);
      },
    };
  });
}

async function answerPng({ response }: Exchange, { reader }: Session): Promise<void> {
  const png = await reader.qrPng();
  if (png === null) {
    throw new ApiError('qr_not_available', 'there is no QR to scan now; ask /api/status for the state');
  }
  send(response, 200, 'image/png', png);
}

const pageDoc: RouteDoc = {
  operationId: 'qrPage',
  tag: 'Session',
  summary: 'The page that links a phone',
  description:
    'Shows what to do now, the code if there is one, and the state. The page updates itself. Opening it never starts a login.',
  responses: { 200: found('text/html', textSchema) },
  errors: ['redis_unavailable'],
};

const formPageDoc: RouteDoc = {
  ...{ operationId: 'qrFormPage', tag: 'Session', summary: 'A form of that page to fill in or to confirm' },
  parameters: [
    {
      name: 'do',
      in: 'query',
      required: false,
      description: 'which form',
      schema: { enum: ['code', 'logout', 'stop'] },
    },
  ],
  responses: {
    200: found('text/html', textSchema),
    303: { description: 'There is no such form. Redirects to `/qr`' },
  },
};

const formDoc: RouteDoc = {
  ...{
    operationId: 'qrForm',
    tag: 'Session',
    summary: 'The forms of that page: start, restart, stop, log out, get a pairing code',
    description:
      'Only for the page itself: a request of another origin is refused. A program uses the operations.',
  },
  requestBody: formBody(['do'], { do: { enum: [...qrActions] }, phone_number: textSchema }),
  responses: { 303: { description: 'Done. Redirects to `/qr`' } },
  errors: [
    ...(['invalid_request', 'unsupported_media_type', 'body_too_large', 'rate_limited'] as const),
    ...(['login_failed', 'whatsapp_error', 'session_not_ready', 'redis_unavailable', 'timeout'] as const),
  ],
};

const imageDoc: RouteDoc = {
  ...{ operationId: 'qrImage', tag: 'Session', summary: 'The code to scan, as an image of 360x360 pixels' },
  responses: { 200: found('image/png', {}) },
  errors: ['qr_not_available', 'redis_unavailable'],
};
