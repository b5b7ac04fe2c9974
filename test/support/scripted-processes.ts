import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExitReason } from '../../src/contract/exit-reasons.js';
import { isAlive } from './processes.js';
import { replaceFile } from './replace-file.js';

/**
 * The script directory: a test writes there what scripted browsers and threads do, and they record there what they did.
 * It uses files because both must work while Redis is down.
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
  | 'writes too much'
  | `fails: ${ExitReason}`;

/** One life of a scripted thread. */
export interface ThreadRecord {
  readonly epoch: number;
  readonly incarnation: number;
  readonly behaviour: ThreadBehaviour;
  /** The browser's `product`, which differs for each browser. */
  readonly browser: string;
}

export const scriptedThreadEntry = new URL('./programs/scripted-thread.js', import.meta.url);
const scriptedBrowser = fileURLToPath(new URL('./programs/scripted-browser.js', import.meta.url));

export class ScriptedProcesses {
  readonly dir: string;
  /** The executable to configure as the supervisor's browser. */
  readonly browserExecutable: string;
  readonly #dead = new Set<string>();

  constructor(dir: string) {
    this.dir = dir;
    this.browserExecutable = join(dir, 'browser');
    mkdirSync(join(dir, 'browsers'), { recursive: true });
    // The shell records its pid before Node has loaded, then becomes the browser. Pids are reused, so it records the uptime too.
    writeFileSync(
      this.browserExecutable,
      `#!/bin/sh\nif [ "$1" = --version ]; then echo 'Scripted Browser 1.0'; exit; fi\nread -r up rest < /proc/uptime\necho > '${dir}/browsers/'$$-$up\nexec '${process.execPath}' '${scriptedBrowser}' '${dir}' "$@"\n`,
    );
    chmodSync(this.browserExecutable, 0o755);
  }

  /** Behaviours of the next threads, one after another. The last one also applies to all later threads. */
  setThreads(...behaviours: [ThreadBehaviour, ...ThreadBehaviour[]]): void {
    replaceFile(join(this.dir, 'threads.json'), JSON.stringify(behaviours));
  }

  setBrowsers(behaviour: BrowserBehaviour): void {
    replaceFile(join(this.dir, 'browser-behaviour'), behaviour);
  }

  /** Every thread that has attached to a browser so far. */
  threads(): ThreadRecord[] {
    return readLines(join(this.dir, 'thread-records')).map((line) => JSON.parse(line) as ThreadRecord);
  }

  /** Every message that a thread handed to its page. */
  sent(): SentMessage[] {
    return readSent(this.dir);
  }

  /** Every step of a send that was requested from a thread, in order. */
  calls(): SendCall[] {
    return readLines(join(this.dir, 'calls')).map((line) => JSON.parse(line) as SendCall);
  }

  /** Results of look-ups from now on, by number or id. Any other number gets the id made from it. */
  setLookUps(script: Record<string, LookUpBehaviour>): void {
    replaceFile(join(this.dir, 'look-ups'), JSON.stringify(script));
  }

  /** From now on sends to these chats get no answer, and the page takes no message. */
  holdSends(...chatIds: string[]): void {
    replaceFile(join(this.dir, 'held-sends'), JSON.stringify(chatIds));
  }

  /** From now on sends to these chats begin and stay pending. */
  neverEndSends(...chatIds: string[]): void {
    replaceFile(join(this.dir, 'endless-sends'), JSON.stringify(chatIds));
  }

  /** From now on WhatsApp does not acknowledge messages that begin with this; null: it acknowledges all. */
  holdAcks(beginning: string | null): void {
    replaceFile(join(this.dir, 'held-acks'), JSON.stringify(beginning));
  }

  /** Pids of all browsers that were ever started here. */
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
 * `never answers`: the thread sends no answer. `is unanswered`: the session worker's refusal after WhatsApp did not answer.
 * `is interrupted`: its refusal after the page loaded again. An object is merged into the answer.
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

/** `held-sends`: sends without an answer; `endless-sends`: sends that stay pending. */
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

/** Takes the next behaviour. Only one thread runs at a time, so no other one reads in between. */
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
