import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExitReason } from '../../src/contract/exit-reasons.js';
import { isAlive } from './processes.js';
import { replaceFile } from './replace-file.js';

/**
 * A directory by which a test tells scripted browsers and threads what to do, and in which they record that they
 * ran. Files, because both must work while Redis does not.
 */

export type BrowserBehaviour =
  | 'normal'
  | 'fails to start'
  | 'never listens'
  | 'ignores SIGTERM'
  | 'keeps its pages';

export type ThreadBehaviour =
  | 'ready'
  | 'shows a qr'
  | 'stays starting'
  | 'stays authenticated'
  | 'throws'
  | 'exits'
  | 'leaves a rejection unhandled'
  | 'spins'
  | 'runs out of memory'
  | 'never answers stop'
  | 'tells too much'
  | `fails: ${ExitReason}`;

/** One life of a scripted thread. */
export interface ThreadRecord {
  readonly epoch: number;
  readonly incarnation: number;
  readonly behaviour: ThreadBehaviour;
  /** Where it listens: of each browser another address. */
  readonly browser: string;
}

export const scriptedThreadEntry = new URL('./programs/scripted-thread.js', import.meta.url);
const scriptedBrowser = fileURLToPath(new URL('./programs/scripted-browser.js', import.meta.url));

export class Theatre {
  readonly dir: string;
  /** To be named as the supervisor's browser. */
  readonly browserExecutable: string;
  readonly #dead = new Set<string>();

  constructor(dir: string) {
    this.dir = dir;
    this.browserExecutable = join(dir, 'browser');
    mkdirSync(join(dir, 'browsers'), { recursive: true });
    // The shell records the pid before Node has loaded, and becomes the browser. Pids are used again: the time, too.
    writeFileSync(
      this.browserExecutable,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo 'Scripted Browser 1.0'; exit; fi\nread -r up rest < /proc/uptime\necho > '${dir}/browsers/'$$-$up\nexec '${process.execPath}' '${scriptedBrowser}' '${dir}' "$@"\n`,
    );
    chmodSync(this.browserExecutable, 0o755);
  }

  /** What the next threads do, one after another; the last goes on for all that follow. */
  playThreads(...behaviours: [ThreadBehaviour, ...ThreadBehaviour[]]): void {
    replaceFile(join(this.dir, 'threads.json'), JSON.stringify(behaviours));
  }

  playBrowsers(behaviour: BrowserBehaviour): void {
    replaceFile(join(this.dir, 'browser-behaviour'), behaviour);
  }

  /** Every thread that has attached so far. */
  threads(): ThreadRecord[] {
    return readLines(join(this.dir, 'thread-records')).map((line) => JSON.parse(line) as ThreadRecord);
  }

  /** Every message that a thread handed to its page. */
  sent(): SentMessage[] {
    return readSent(this.dir);
  }

  /** Every step of a send that a thread was asked for, in this order. */
  calls(): SendCall[] {
    return readLines(join(this.dir, 'calls')).map((line) => JSON.parse(line) as SendCall);
  }

  /** What becomes of look-ups from now on, by number or id; of others the id is the number's. */
  playLookUps(script: Record<string, LookUpBehaviour>): void {
    replaceFile(join(this.dir, 'look-ups'), JSON.stringify(script));
  }

  /** From now on the page takes no message for these chats and says nothing. */
  holdSends(...chatIds: string[]): void {
    replaceFile(join(this.dir, 'held-sends'), JSON.stringify(chatIds));
  }

  /** From now on the page begins sends to these chats and does not end them. */
  neverEndSends(...chatIds: string[]): void {
    replaceFile(join(this.dir, 'endless-sends'), JSON.stringify(chatIds));
  }

  /** From now on WhatsApp acknowledges no message that begins so; null: it acknowledges them all. */
  holdAcks(beginning: string | null): void {
    replaceFile(join(this.dir, 'held-acks'), JSON.stringify(beginning));
  }

  /** Pid of every browser that was ever started here. */
  browsersEver(): number[] {
    return this.#browserRecords().map(pidOf);
  }

  browsersAlive(): number[] {
    const records = this.#browserRecords().filter((record) => !this.#dead.has(record));
    for (const record of records) if (!isAlive(pidOf(record))) this.#dead.add(record);
    return records.filter((record) => !this.#dead.has(record)).map(pidOf);
  }

  #browserRecords(): string[] {
    return readdirSync(join(this.dir, 'browsers'));
  }
}

export interface SentMessage {
  readonly messageId: string;
  readonly message: string;
}

/**
 * `is unanswered`: as a session worker says it that waited for WhatsApp in vain; `is interrupted`: of a page that has loaded anew.
 * An object is the answer as it is.
 */
export type LookUpBehaviour =
  | 'never answers'
  | 'is unanswered'
  | 'is interrupted'
  | Readonly<Record<string, unknown>>;

export interface SendCall {
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
}

export function lookUpBehaviour(dir: string, recipient: string): LookUpBehaviour | undefined {
  const script = JSON.parse(readIfThere(join(dir, 'look-ups')) ?? '{}') as Record<string, LookUpBehaviour>;
  return script[recipient];
}

/** `held-sends`: nothing is said to them; `endless-sends`: they are begun and do not end. */
export function isAmong(list: 'held-sends' | 'endless-sends', dir: string, chatId: string): boolean {
  return (JSON.parse(readIfThere(join(dir, list)) ?? '[]') as string[]).includes(chatId);
}

export function readSent(dir: string): SentMessage[] {
  return readLines(join(dir, 'sent')).map((line) => JSON.parse(line) as SentMessage);
}

export function isAcked(dir: string, { message }: SentMessage): boolean {
  const held = JSON.parse(readIfThere(join(dir, 'held-acks')) ?? 'null') as string | null;
  return held === null || !message.startsWith(held);
}

export function readBrowserBehaviour(dir: string): BrowserBehaviour {
  return (readIfThere(join(dir, 'browser-behaviour')) ?? 'normal') as BrowserBehaviour;
}

/** Takes the next behaviour. Only one thread lives at a time, so nobody else reads in between. */
export function takeThreadBehaviour(dir: string): ThreadBehaviour {
  const file = join(dir, 'threads.json');
  const [next = 'ready', ...rest] = JSON.parse(readIfThere(file) ?? '[]') as ThreadBehaviour[];
  if (rest.length > 0) replaceFile(file, JSON.stringify(rest));
  return next;
}

/** `<pid>-<seconds since the machine's start>` */
function pidOf(browserRecord: string): number {
  return Number.parseInt(browserRecord, 10);
}

function readLines(file: string): string[] {
  return (readIfThere(file) ?? '').split('\n').filter((line) => line !== '');
}

function readIfThere(file: string): string | null {
  return existsSync(file) ? readFileSync(file, 'utf8') : null;
}
