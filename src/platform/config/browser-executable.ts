import { closeSync, openSync, readSync } from 'node:fs';
import { basename, delimiter, join, resolve } from 'node:path';
import { OperatorError } from '../../contract/errors.js';
import { isExecutableFile } from '../files.js';

/** `shell`: the headless shell of Chromium, a program of its own that never has a window. It takes less memory. */
export const browserKinds = ['chromium', 'shell'] as const;
export type BrowserKind = (typeof browserKinds)[number];

/** In the order of preference. */
const browserNames: Readonly<Record<BrowserKind, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'],
  shell: ['chromium-headless-shell', 'chrome-headless-shell'],
};

interface BrowserVariables {
  /** WHATSAPP_BROWSER and WHATSAPP_CHROME_EXECUTABLE; undefined: not set. */
  readonly kind: BrowserKind | undefined;
  readonly executable: string | undefined;
  readonly headless: boolean;
}

export interface BrowserChoice {
  readonly kind: BrowserKind;
  /** `''`: there is none. */
  readonly executable: string;
  /** Contradictions between the variables, and a named file that cannot be used. */
  readonly problems: readonly string[];
}

/** Which browser a supervisor uses. The file name of a named one tells its kind; WHATSAPP_BROWSER must not contradict it. */
export function chooseBrowser({ kind, executable, headless }: BrowserVariables, path: string): BrowserChoice {
  const namedKind = executable === undefined ? undefined : kindByName(executable);
  const chosen = kind ?? namedKind ?? 'chromium';
  const found = findBrowser(executable, path, chosen);
  const problems: string[] = [];
  if (executable !== undefined) {
    // First, because Chromium itself may be a script.
    const isOtherKind = kind !== undefined && namedKind !== kind && isExecutableFile(resolve(executable));
    if (isOtherKind) problems.push(contradictions[kind](executable));
    else if (found === '') problems.push(unusable(executable, chosen));
  }
  if (chosen === 'shell' && !headless) {
    problems.push(
      'WHATSAPP_HEADLESS: the headless shell cannot have a window; leave it out, or use Chromium (WHATSAPP_BROWSER=chromium)',
    );
  }
  return { kind: chosen, executable: found, problems };
}

/**
 * Finds a browser: the configured one, or else the first of its kind on the `PATH`. A configured path becomes absolute.
 * Returns `''` if there is no such executable file.
 */
export function findBrowser(
  configured: string | undefined,
  path: string,
  kind: BrowserKind = 'chromium',
): string {
  const candidates =
    configured !== undefined
      ? [resolve(configured)]
      : browserNames[kind].flatMap((name) =>
          path
            .split(delimiter)
            .filter(Boolean)
            .map((dir) => join(dir, name)),
        );
  const found = candidates.find(isExecutableFile) ?? '';
  return kind === 'shell' && found !== '' ? shellProgram(found) : found;
}

/** Throws an {@link OperatorError} if no browser was found. Only a supervisor needs one. */
export function requireBrowser(config: { browser: BrowserKind; chromeExecutable: string }): void {
  if (config.chromeExecutable !== '') return;
  throw new OperatorError(
    config.browser === 'shell'
      ? 'no headless shell of Chromium was found on this machine: install it (apt-get install chromium-headless-shell), name it in WHATSAPP_CHROME_EXECUTABLE, or use Chromium (WHATSAPP_BROWSER=chromium)'
      : 'no Chromium or Chrome was found on this machine: install one (apt-get install chromium), or name it in WHATSAPP_CHROME_EXECUTABLE',
  );
}

function kindByName(file: string): BrowserKind {
  return /headless[-_]shell/.test(basename(file)) ? 'shell' : 'chromium';
}

/** By the kind that WHATSAPP_BROWSER asks for. */
const contradictions: Readonly<Record<BrowserKind, (file: string) => string>> = {
  shell: (file) =>
    `WHATSAPP_CHROME_EXECUTABLE: by its name, ${file} is Chromium and not its headless shell, but WHATSAPP_BROWSER is shell; leave WHATSAPP_CHROME_EXECUTABLE out to have the shell found, name a file like chromium-headless-shell, or set WHATSAPP_BROWSER=chromium`,
  chromium: (file) =>
    `WHATSAPP_CHROME_EXECUTABLE: by its name, ${file} is the headless shell and not Chromium, but WHATSAPP_BROWSER is chromium; leave WHATSAPP_CHROME_EXECUTABLE out to have Chromium found, name a Chromium or Chrome, or set WHATSAPP_BROWSER=shell`,
};

function unusable(file: string, kind: BrowserKind): string {
  const isScript = kind === 'shell' && isExecutableFile(resolve(file));
  return isScript
    ? `WHATSAPP_CHROME_EXECUTABLE: ${file} is a script, and the headless shell that it starts was not found; name the program itself, or leave the variable out to have one found`
    : `WHATSAPP_CHROME_EXECUTABLE: ${file} is not an executable file; name ${kind === 'shell' ? 'a headless shell' : 'a Chromium or Chrome'}, or leave the variable out to have one found`;
}

/**
 * What Debian puts on the `PATH` is a script that starts the program and waits for it, without `exec`. Signals would reach the
 * script and not the browser, so the program itself is started. `''`: the script names none.
 */
function shellProgram(file: string): string {
  const text = beginningOf(file);
  if (!text.startsWith('#!')) return file;
  const [, program = ''] =
    /^[ \t]*(?:exec[ \t]+)?["']?(\/[^\s"']*headless[-_]shell)["']?(?=\s)/m.exec(text) ?? [];
  return isExecutableFile(program) && !beginningOf(program).startsWith('#!') ? program : '';
}

/** Enough of a file to tell a script from a program, and to read a short script. `''`: it cannot be read. */
function beginningOf(file: string): string {
  const buffer = Buffer.alloc(16_384);
  try {
    const descriptor = openSync(file, 'r');
    try {
      return buffer.toString('latin1', 0, readSync(descriptor, buffer));
    } finally {
      closeSync(descriptor);
    }
  } catch {
    return '';
  }
}
