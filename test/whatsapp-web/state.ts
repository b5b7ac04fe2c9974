import type { Agent, PageRequest } from './browser-identity.js';
import type { IssuedRef } from './linking.js';
import type { IssuedCode } from './pairing-codes.js';
import type { VerifiedPasskey } from './relying-party.js';
import type { Account } from './settings.js';
import { actingAs, type World } from './world.js';

export interface WhatsAppWebState {
  account: Account;
  /** `name`: the device name that its page reported. `acting`: connections logged in as this device now. */
  devices: { id: string; name: string; linkedAt: number; acting: number }[];
  connections: {
    pageId: string;
    state: string;
    deviceId: string | null;
    hasHistory: boolean;
    isSynced: boolean;
    openedAt: number;
  }[];
  /** Page loads that are connected now, and that ever connected. */
  pagesNow: number;
  pagesEver: number;
  /** The most connections ever logged in as one device at once. More than 1 is an error. */
  mostActingAtOnce: number;
  refs: IssuedRef[];
  currentQr: string | null;
  codes: IssuedCode[];
  currentCode: string | null;
  /** How often pages were called to send something, whatever the outcome. */
  sendsBegun: number;
  passkey: PasskeyState;
  /** New QR codes and pairing codes that pages requested while they were asked for a passkey. */
  disturbances: { refreshes: number; codes: number };
  /** How often pages asked about a group. */
  groupQuestions: number;
  /** The last 20 requests for documents and the service worker. */
  requests: PageRequest[];
  /** What page, worker and service worker last reported about the browser. */
  agents: Record<string, Agent>;
  /** Modules that pages requested and window.require lacks. */
  unknownModules: string[];
  journal: { at: number; text: string }[];
}

export interface PasskeyState {
  isAsked: boolean;
  /** Pages that are asked for a passkey now. */
  waiting: number;
  /** The stage of the page that was asked last, and the code that the phone shows for it. */
  stage: string | null;
  phoneCode: string | null;
  /** How many challenges the server issued. */
  optionsSent: number;
  verified: VerifiedPasskey[];
  /** Why pages gave up, as `reason: detail`. The reasons are timeout, server_error and unknown. */
  failures: string[];
}

function describePasskey({ passkey }: World): PasskeyState {
  const { isAsked, waiting, optionsSent, verified, failures } = passkey;
  const last = [...waiting.values()].at(-1);
  return {
    isAsked,
    waiting: waiting.size,
    stage: last?.stage ?? null,
    phoneCode: last?.phoneCode ?? null,
    optionsSent,
    verified: [...verified],
    failures: [...failures],
  };
}

export function describe(world: World): WhatsAppWebState {
  const connections = [...world.connections];
  return {
    account: world.account,
    devices: [...world.linking.devices.values()].map(({ id, name, linkedAt }) => ({
      id,
      name,
      linkedAt,
      acting: actingAs(world, id).length,
    })),
    connections: connections.map(({ pageId, state, device, hasHistory, isSynced, openedAt }) => ({
      pageId,
      state,
      deviceId: device?.id ?? null,
      hasHistory,
      isSynced,
      openedAt,
    })),
    pagesNow: new Set(connections.map(({ pageId }) => pageId)).size,
    pagesEver: world.pagesEver.size,
    mostActingAtOnce: world.mostActingAtOnce,
    refs: structuredClone(world.linking.refs),
    currentQr: world.linking.currentRef()?.qr ?? null,
    codes: structuredClone(world.codes.issued),
    currentCode: world.codes.current()?.code ?? null,
    sendsBegun: world.sendsBegun,
    passkey: describePasskey(world),
    disturbances: { ...world.disturbances },
    groupQuestions: world.groupQuestions,
    requests: [...world.requests],
    agents: Object.fromEntries(world.agents),
    unknownModules: [...world.unknownModules],
    journal: [...world.journal],
  };
}
