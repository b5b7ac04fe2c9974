import type { PageSettings } from './page-settings.js';
import { createPhone, type Phone } from './phone.js';
import type { PageAction } from './protocol.js';
import { change, type FaultSettings, NO_FAULTS, type Timing } from './settings.js';
import type { World } from './world.js';

/**
 * Settings stay until they are changed or cleared; pages that were held back then go on. Methods ending in `Now` act once, in
 * every open page.
 */
export interface Faults {
  set(faults: Partial<FaultSettings>): Promise<void>;
  clear(): Promise<void>;
  current(): Promise<FaultSettings>;
  /** Starts an endless busy loop in the page's main thread. */
  hangNow(): Promise<void>;
  reloadNow(): Promise<void>;
  pushStateNow(): Promise<void>;
  appendIframeNow(): Promise<void>;
  /** The page takes 400 MB more memory, and keeps it. */
  growNow(): Promise<void>;
  /** Cuts every page's connection. Pages reconnect by themselves, as after a lost network. */
  cutNow(): Promise<void>;
}

export interface TimingControl {
  set(timing: Partial<Timing>): Promise<void>;
  current(): Promise<Timing>;
}

/** Who is on WhatsApp: everyone except the removed numbers. After `set()`, only the listed ones. */
export interface DirectoryControl {
  set(numbers: string[]): Promise<void>;
  /** `actual`: the account's real number, if it differs from the one that people dial. */
  add(number: string, actual?: string): Promise<void>;
  remove(number: string): Promise<void>;
  /** Pages know this person by hidden id only, until they look up the number. */
  hideNumber(number: string): Promise<void>;
  list(): Promise<{ everyoneElse: boolean; present: string[]; absent: string[] }>;
}

/** Settings of the page. A change applies to pages loaded afterwards. */
export interface PageControl {
  set(page: Partial<PageSettings>): Promise<void>;
  current(): Promise<PageSettings>;
}

export interface Controls {
  readonly phone: Phone;
  readonly faults: Faults;
  readonly timing: TimingControl;
  readonly directory: DirectoryControl;
  readonly page: PageControl;
}

export function createControls(world: World): Controls {
  return {
    phone: createPhone(world),
    faults: createFaults(world),
    timing: createTiming(world),
    directory: createDirectory(world),
    page: {
      set: async (page) => change(world.page, page),
      current: async () => structuredClone(world.page),
    },
  };
}

function createFaults(world: World): Faults {
  const everyPage = (action: PageAction) => async () => {
    for (const page of world.connections) page.perform(action);
  };
  const adjust = (faults: Partial<FaultSettings>) => {
    change(world.faults, faults);
    for (const page of world.connections) page.resume();
  };
  return {
    set: async (faults) => {
      adjust(faults);
      if (world.faults.server === 'reset') for (const socket of world.sockets) socket.resetAndDestroy();
    },
    clear: async () => adjust(structuredClone(NO_FAULTS)),
    current: async () => structuredClone(world.faults),
    hangNow: everyPage('hang'),
    reloadNow: everyPage('reload'),
    pushStateNow: everyPage('push-state'),
    appendIframeNow: everyPage('append-iframe'),
    growNow: everyPage('grow'),
    cutNow: async () => {
      for (const page of world.connections) page.cut();
    },
  };
}

function createTiming(world: World): TimingControl {
  return {
    set: async (timing) => change(world.timing, timing),
    current: async () => ({ ...world.timing }),
  };
}

function createDirectory({ directory, people }: World): DirectoryControl {
  return {
    set: async (numbers) => directory.set(numbers),
    add: async (number, actual) => directory.add(number, actual),
    remove: async (number) => directory.remove(number),
    hideNumber: async (number) => people.hide(number),
    list: async () => directory.list(),
  };
}
