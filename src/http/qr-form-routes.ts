import type { z } from 'zod';
import { bounds } from '../contract/bounds.js';
import { ApiError } from '../contract/errors.js';
import { parseJson } from '../contract/json.js';
import { qrPagePath } from '../contract/names.js';
import { type OperationName, operations } from '../contract/operations.js';
import { passkeyCommand } from '../contract/passkey-command.js';
import { requireOperator } from './auth/operator.js';
import { readForm } from './core/body.js';
import type { Exchange, FailedRequest } from './core/exchange.js';
import { acceptsHtml } from './core/headers.js';
import { htmlType, send } from './core/responses.js';
import { formBody, found, type RouteDoc, textSchema } from './core/route-doc.js';
import { invalidRequest, parseInput } from './core/validation.js';
import { type AnyHandler, composeCall, type Handlers } from './operations/call.js';
import { pageHeaders } from './pages/layout.js';
import { type Place, placeOf, placeOfSession } from './pages/place.js';
import { problemPage } from './pages/problem-page.js';
import {
  codeFormPage,
  formProblemPage,
  logoutFormPage,
  passkeyFormPage,
  type QrAction,
  qrActions,
  stopFormPage,
} from './pages/qr-forms.js';
import type { SessionRoute } from './session-routes.js';
import type { Session } from './sessions.js';

/** For a person, who does not see the names of fields. */
const phoneNumberRule =
  'The number must include the country code and contain 8-15 digits, as in +1 555 123 4567.';

/** For a person, who does not see the names of fields. */
const answerRule =
  'This is not the answer that the command shows. Copy all of it: it begins with {"id" and ends with }.';

/** How long the form Start waits for a code. The page then shows how far it is. */
const startWaitS = 10;

/** The forms of the operator's page `/qr`: pages to fill in, and what sends them. */
export function createQrFormRoutes(handlers: Handlers): SessionRoute[] {
  const carryOut = createFormActions(handlers);
  const formRoute = { path: '/qr-form', scope: 'admin', problemPage: formRefusalPage } as const;
  return [
    {
      ...{ ...formRoute, method: 'GET', doc: formPageDoc },
      async handle(exchange, session) {
        const { response, target } = exchange;
        const form = formIn(target.search, session) ?? (await passkeyFormIn(exchange, session));
        if (form === null) response.writeHead(303, { location: 'qr' }).end();
        else send(response, 200, htmlType, form, pageHeaders);
      },
    },
    {
      ...{ ...formRoute, method: 'POST', isLimited: true, doc: formDoc },
      async handle(exchange, session) {
        if (!exchange.admission.isOwnOrigin) throw notFromOurPage();
        // The answer of a passkey is longer than what people type.
        const form = await readForm(exchange, (sent) => sent.get('do') === 'passkey-answer');
        const action = qrActions.find((each) => each === form.get('do'));
        if (action === undefined) throw unknownAction();
        try {
          await carryOut[action](exchange, session, form);
        } catch (error) {
          if (!(error instanceof ApiError) || !acceptsHtml(exchange.request)) throw error;
          return send(
            exchange.response,
            error.status,
            htmlType,
            refusalOf(error, form, placeOfSession(session.name)),
            {
              ...error.headers,
              ...pageHeaders,
            },
          );
        }
        exchange.response.writeHead(303, { location: 'qr' }).end();
      },
    },
  ];
}

/** It stays until the person goes back: a live page would follow the session at once, and hide the reason. */
function formRefusalPage(error: ApiError, request: FailedRequest): string {
  return error.code === 'forbidden'
    ? problemPage(error, request)
    : formProblemPage(error, placeOf(request.target.path));
}

/** The form that the query asks for; null: none. */
function formIn(search: string, { name }: Session): string | null {
  const place = placeOfSession(name);
  const form = new URLSearchParams(search).get('do');
  switch (form) {
    case 'code':
      return codeFormPage(place);
    case 'logout':
      return logoutFormPage(place);
    case 'stop':
      return stopFormPage(place);
    default:
      return null;
  }
}

/** After these a pasted answer is of no use to the person. */
const endsPaste = new Set<string>(['passkey_not_pending', 'passkey_superseded', 'forbidden']);

/** The form again, with what was filled in and what was wrong. */
function refusalOf(error: ApiError, form: URLSearchParams, place: Place): string {
  const [phoneNumber, answer] = [form.get('phone_number'), form.get('answer')];
  const isInvalid = error.code === 'invalid_request';
  if (answer !== null && !endsPaste.has(error.code))
    return passkeyFormPage(place, { command: null, answer, problem: isInvalid ? answerRule : error.message });
  if (phoneNumber === null) return formProblemPage(error, place);
  return codeFormPage(place, { phoneNumber, problem: isInvalid ? phoneNumberRule : error.message });
}

/** The form for the answer to the open request; null: the query asks for another form, or there is no request. */
async function passkeyFormIn(exchange: Exchange, { reader, name }: Session): Promise<string | null> {
  if (new URLSearchParams(exchange.target.search).get('do') !== 'passkey') return null;
  requireOperator(exchange);
  const { passkey } = await reader.qr(exchange.caller);
  if (passkey === null || passkey.options === null) return null;
  const { id, options } = passkey;
  const gateway = exchange.admission.baseUrl + qrPagePath(name);
  return passkeyFormPage(placeOfSession(name), {
    command: passkeyCommand({ id, options, gateway, showsAnswer: true }),
  });
}

type FormAction = (exchange: Exchange, session: Session, form: URLSearchParams) => Promise<unknown>;

/** What each form does: the operations of the table, as over the API. */
function createFormActions(handlers: Handlers): Readonly<Record<QrAction, FormAction>> {
  const call = (exchange: Exchange, session: Session, name: OperationName) =>
    composeCall(exchange, session, operations[name], null);
  const start: FormAction = (exchange, session) =>
    handlers.startAuth({}, { ...call(exchange, session, 'startAuth'), preferredWaitS: startWaitS });
  const passkey =
    (name: 'passkeyAnswer' | 'passkeyConfirm' | 'passkeyRetry' | 'passkeyCancel'): FormAction =>
    (exchange, session, form) => {
      requireOperator(exchange);
      const { do: _, answer, ...fields } = Object.fromEntries(form);
      const given = answer === undefined ? fields : parseJson(answer);
      const input = parseInput(operations[name].input as z.ZodObject, isObject(given) ? given : {});
      return (handlers[name] as AnyHandler)(input as never, call(exchange, session, name));
    };
  return {
    start,
    'passkey-answer': passkey('passkeyAnswer'),
    'passkey-confirm': passkey('passkeyConfirm'),
    'passkey-retry': passkey('passkeyRetry'),
    'passkey-cancel': passkey('passkeyCancel'),
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
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

const formPageDoc: RouteDoc = {
  ...{ operationId: 'qrFormPage', tag: 'Session', summary: 'A form of that page to fill in or to confirm' },
  parameters: [
    {
      name: 'do',
      in: 'query',
      required: false,
      description: 'which form',
      schema: { enum: ['code', 'logout', 'stop', 'passkey'] },
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
    summary:
      'The forms of that page: start, restart, stop, log out, get a pairing code, go on with a passkey',
    description:
      'Only for the page itself: a request of another origin is refused. A program uses the operations.',
  },
  requestBody: formBody(
    ['do'],
    {
      do: { enum: [...qrActions] },
      phone_number: textSchema,
      answer: textSchema,
      id: textSchema,
      code: textSchema,
    },
    `, or ${bounds.body} with \`do=passkey-answer\``,
  ),
  responses: { 303: { description: 'Done. Redirects to `/qr`' } },
  errors: [
    ...(['invalid_request', 'unsupported_media_type', 'body_too_large', 'rate_limited'] as const),
    ...(['login_failed', 'whatsapp_error', 'session_not_ready', 'redis_unavailable', 'timeout'] as const),
    ...(['passkey_not_pending', 'passkey_superseded'] as const),
    ...(['passkey_not_acceptable', 'passkey_code_differs'] as const),
  ],
};
