import { type IssuedRef, refuseScan, type ScanResult } from './linking.js';
import type { PageAction } from './protocol.js';
import { type Account, change, type FaultSettings, NO_FAULTS, type Timing } from './settings.js';
import { actingAs, note, type World } from './world.js';

/** The phone: it owns the account, scans QR codes and sees what is linked to it. */
export interface Phone {
  /** Scans this text as a phone would; refusals come with their reason. */
  scan(qrText: string): Promise<ScanResult>;
  /** Scans the newest valid QR code of an open page. */
  scanCurrent(): Promise<ScanResult>;
  /** Logs a device out, or all of them; says which. Its open pages are told at once, others when they return. */
  unlink(deviceId?: string): Promise<string[]>;
  /** Another browser takes over: pages that are logged in fall into CONFLICT. */
  conflict(): Promise<void>;
  /** Puts logged-in pages into any state, as WhatsApp does with TOS_BLOCK or DEPRECATED_VERSION. */
  showState(state: string): Promise<void>;
  /** The text of the QR code that could be scanned now. */
  currentQr(): Promise<string | null>;
  state(): Promise<WhatsAppWebState>;
}

/** Settings stay until changed or cleared; what happens `now` happens once, in every open page. */
export interface Faults {
  set(faults: Partial<FaultSettings>): Promise<void>;
  clear(): Promise<void>;
  current(): Promise<FaultSettings>;
  /** A busy loop without end in the page's main thread. */
  hangNow(): Promise<void>;
  reloadNow(): Promise<void>;
  pushStateNow(): Promise<void>;
  appendIframeNow(): Promise<void>;
}

export interface TimingControl {
  set(timing: Partial<Timing>): Promise<void>;
  current(): Promise<Timing>;
}

export interface Controls {
  readonly phone: Phone;
  readonly faults: Faults;
  readonly timing: TimingControl;
}

export interface WhatsAppWebState {
  account: Account;
  /** `acting`: connections logged in as this device now. */
  devices: { id: string; linkedAt: number; acting: number }[];
  connections: {
    pageId: string;
    state: string;
    deviceId: string | null;
    isSynced: boolean;
    openedAt: number;
  }[];
  /** Page loads connected now, and ever. */
  pagesNow: number;
  pagesEver: number;
  /** The most connections that were ever logged in as one device at once; above 1 is a mistake. */
  mostActingAtOnce: number;
  refs: IssuedRef[];
  currentQr: string | null;
  /** What pages asked window.require for in vain. */
  unknownModules: string[];
  journal: { at: number; text: string }[];
}

export function createControls(world: World): Controls {
  return { phone: createPhone(world), faults: createFaults(world), timing: createTiming(world) };
}

function createPhone(world: World): Phone {
  const { linking } = world;

  function scan(qrText: string): ScanResult {
    const result = linking.scan(qrText);
    if (!result.linked) {
      note(world, `The phone refused a scan: ${result.message}`);
      return result;
    }
    note(world, `The phone scanned the QR code; ${result.device.id} is linked.`);
    for (const page of world.connections) if (page.pageId === result.ref.pageId) page.pair(result.device);
    return { linked: true, deviceId: result.device.id };
  }

  function unlink(deviceId: string): string {
    if (!linking.unlink(deviceId)) throw new Error(`no device "${deviceId}" is linked`);
    note(world, `${deviceId} was unlinked on the phone.`);
    for (const page of world.connections) if (page.device?.id === deviceId) page.logOut();
    return deviceId;
  }

  function showState(state: string): void {
    note(world, `Logged-in pages were put into the state ${state}.`);
    for (const page of world.connections) if (page.device) page.showState(state);
  }

  return {
    scan: async (qrText) => scan(qrText),
    scanCurrent: async () => {
      const current = linking.currentRef();
      return current ? scan(current.qr) : refuseScan('no-qr');
    },
    unlink: async (deviceId) => (deviceId ? [deviceId] : [...linking.devices.keys()]).map(unlink),
    conflict: async () => showState('CONFLICT'),
    showState: async (state) => showState(state),
    currentQr: async () => linking.currentRef()?.qr ?? null,
    state: async () => describe(world),
  };
}

function createFaults(world: World): Faults {
  const everyPage = (action: PageAction) => async () => {
    for (const page of world.connections) page.perform(action);
  };
  return {
    set: async (faults) => {
      change(world.faults, faults);
      if (world.faults.server === 'reset') for (const socket of world.sockets) socket.resetAndDestroy();
    },
    clear: async () => change(world.faults, structuredClone(NO_FAULTS)),
    current: async () => structuredClone(world.faults),
    hangNow: everyPage('hang'),
    reloadNow: everyPage('reload'),
    pushStateNow: everyPage('push-state'),
    appendIframeNow: everyPage('append-iframe'),
  };
}

function createTiming(world: World): TimingControl {
  return {
    set: async (timing) => change(world.timing, timing),
    current: async () => ({ ...world.timing }),
  };
}

function describe(world: World): WhatsAppWebState {
  const connections = [...world.connections];
  return {
    account: world.account,
    devices: [...world.linking.devices.values()].map(({ id, linkedAt }) => ({
      id,
      linkedAt,
      acting: actingAs(world, id).length,
    })),
    connections: connections.map(({ pageId, state, device, isSynced, openedAt }) => ({
      pageId,
      state,
      deviceId: device?.id ?? null,
      isSynced,
      openedAt,
    })),
    pagesNow: new Set(connections.map(({ pageId }) => pageId)).size,
    pagesEver: world.pagesEver.size,
    mostActingAtOnce: world.mostActingAtOnce,
    refs: structuredClone(world.linking.refs),
    currentQr: world.linking.currentRef()?.qr ?? null,
    unknownModules: [...world.unknownModules],
    journal: [...world.journal],
  };
}
