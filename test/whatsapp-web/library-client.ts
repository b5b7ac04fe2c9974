import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import wweb, { type Client } from 'whatsapp-web.js';
import { eventually } from '../support/eventually.js';
import type { Controls } from './control.js';
import type { WhatsAppWeb } from './server.js';

/** Unmodified whatsapp-web.js in a real Chromium against the stand-in, with its events in order. */
export interface LibraryClient {
  readonly client: Client;
  readonly profile: string;
  /** One entry for each event: its name, then its arguments as text. */
  readonly events: string[][];
  /** The promise of initialize(). */
  readonly initialized: Promise<void>;
  /** Waits for the next event of this name after `count` earlier ones; resolves to its first argument. */
  next(name: string, count?: number): Promise<string>;
  /**
   * Waits for the library's work on navigations, which it starts without awaiting. Closing the browser or navigating the
   * page during that work causes an unhandled rejection.
   */
  settled(): Promise<void>;
  closeBrowser(): Promise<void>;
}

const EVENTS = [
  'qr',
  'code',
  'authenticated',
  'ready',
  'disconnected',
  'loading_screen',
  'change_state',
  'message',
  'message_create',
  'message_ack',
  'unread_count',
];

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Long, because a busy machine is slow to start a browser. The deadline only detects a hang. */
const patience = { timeoutMs: 60_000 };

export function makeProfile(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'holdline-profile-'));
}

export async function removeProfile(profile: string): Promise<void> {
  // Chromium's last child can still be writing when its main process is gone.
  await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

export interface LibraryOptions {
  /** Shortens the library's own long timeouts, for tests of faults. */
  authTimeoutMs?: number;
  protocolTimeoutMs?: number;
  /** Uses LocalAuth, as most programs do: the profile is `<data path>/session` or `<data path>/session-<client id>`. */
  localAuth?: boolean;
}

export function startLibrary(
  whatsAppWeb: WhatsAppWeb,
  profile: string,
  { authTimeoutMs = 30_000, protocolTimeoutMs = 180_000, localAuth = false }: LibraryOptions = {},
): LibraryClient {
  const client = new wweb.Client({
    authStrategy: localAuth ? localAuthOf(profile) : new wweb.NoAuth(),
    webVersionCache: { type: 'none' },
    authTimeoutMs,
    puppeteer: {
      executablePath: '/usr/bin/chromium',
      ...(localAuth ? {} : { userDataDir: profile }),
      protocolTimeout: protocolTimeoutMs,
      args: [...CHROMIUM_FLAGS, ...whatsAppWeb.chromeArgs],
    },
  });
  const events: string[][] = [];
  for (const name of EVENTS)
    client.on(name, (...args: unknown[]) => events.push([name, ...args.map(inWords)]));
  const settled = watchInjections(client);
  const initialized = client.initialize();
  initialized.catch(() => {});

  return {
    client,
    profile,
    events,
    initialized,
    next: async (name, count = 0) => {
      const find = () => events.filter(([known]) => known === name)[count];
      const [, argument = ''] = (await eventually(find, { message: `no event ${name}`, ...patience })) ?? [];
      return argument;
    },
    settled,
    closeBrowser: async () => {
      await initialized.catch(() => {});
      await settled();
      await closeAndWait(client.pupBrowser);
    },
  };
}

/**
 * Opens a page that is already logged in, by starting a client or by a reload. Such a page syncs at once, and a library that
 * does not listen yet never gets ready. So the sync is held back until the library listens.
 */
export async function openBeforeSync(
  { faults, phone }: Pick<Controls, 'faults' | 'phone'>,
  open: () => LibraryClient | Promise<LibraryClient>,
): Promise<LibraryClient> {
  const { pagesEver } = await phone.state();
  await faults.set({ neverSynced: true });
  const library = await open();
  const isListening = async () =>
    (await phone.state()).pagesEver > pagesEver && (await listensTo('hasSynced', library));
  await eventually(isListening, { message: 'the library does not listen', ...patience });
  await faults.set({ neverSynced: false });
  return library;
}

/** Whether the library listens, on its current page, for changes of this attribute. */
export async function listensTo(change: 'hasSynced' | 'state', { client }: LibraryClient): Promise<boolean> {
  const expression = `window.require("WAWebSocketModel").Socket.hasListener("change:${change}")`;
  return (await client.pupPage?.evaluate(expression)) === true;
}

function localAuthOf(profile: string): wweb.LocalAuth {
  const clientId = basename(profile).replace(/^session-?/, '');
  return new wweb.LocalAuth({ dataPath: dirname(profile), ...(clientId === '' ? {} : { clientId }) });
}

/** The text of a message, the unread count of a chat, or the argument as a string. */
function inWords(argument: unknown): string {
  if (typeof argument !== 'object' || argument === null) return String(argument ?? '');
  const { body, unreadCount } = argument as { body?: string; unreadCount?: number };
  return String(body ?? unreadCount ?? argument);
}

/** Waits for the process: if the library also closes this browser, close() returns before the process has ended. */
async function closeAndWait(browser: Client['pupBrowser']): Promise<void> {
  const chromium = browser?.process();
  await browser?.close();
  await eventually(() => !chromium || chromium.exitCode !== null || chromium.signalCode !== null, {
    message: 'Chromium did not end',
    ...patience,
  });
}

/** Tracks inject(), which the library runs without awaiting at each navigation of any frame. */
function watchInjections(client: Client): () => Promise<void> {
  const running = new Set<Promise<void>>();
  const internals = client as unknown as { inject(): Promise<void> };
  const inject = internals.inject.bind(client);
  internals.inject = () => {
    const injection = inject();
    const done = () => void running.delete(injection);
    running.add(injection);
    injection.then(done, done);
    return injection;
  };
  return async () => {
    while (running.size > 0) await Promise.allSettled(running);
  };
}
