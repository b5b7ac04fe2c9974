import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { MiB } from '../../contract/bounds.js';
import { parseAs } from '../../contract/json.js';
import { isWebVersion } from '../../contract/page.js';
import { pause } from '../../platform/deadline.js';
import { sha256Hex } from '../../platform/digest.js';

const keptMax = 10;
const bytesMax = 4 * MiB;
/** The lock is held for milliseconds only. The holder of an older lock has died. */
const staleLockMs = 10_000;
const lockTimeoutMs = 15_000;

const entrySchema = z.object({
  version: z.string().refine(isWebVersion),
  sha256: z.string(),
  bytes: z.number(),
  kept_at: z.iso.datetime(),
});

export type StartPage = Readonly<z.infer<typeof entrySchema>>;

/**
 * Start pages of versions of WhatsApp Web that worked: `<version>.html` for each, and `index.json` with their facts. The
 * newest ten are kept. Files that are not in the index, such as an operator's, are never changed. Best effort: no method
 * throws. Several sessions, in several processes, may share a directory.
 */
export class StartPages {
  readonly #dir: string;
  readonly #pinned: string | null;

  /** `pinned`: a version that is never removed. */
  constructor(dir: string, pinned: string | null = null) {
    this.#dir = dir;
    this.#pinned = pinned;
  }

  /** Keeps a start page. Resolves to whether the directory has it now. Does not write a file again that is already there. */
  async keep(version: string, html: string): Promise<boolean> {
    const bytes = Buffer.byteLength(html);
    if (!isWebVersion(version) || html.trim() === '' || bytes > bytesMax) return false;
    const entry = { version, sha256: sha256Hex(html), bytes, kept_at: new Date().toISOString() };
    try {
      if (await this.#isKept(entry)) return true;
      // This may create WHATSAPP_AUTH_DIR, which holds logins.
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      return await this.#whileLocked(() => this.#write(entry, html));
    } catch {
      return false;
    }
  }

  /** All start pages, newest first. Facts of those that are not in the index come from the file itself. */
  async list(): Promise<StartPage[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const versions = names.filter((name) => name.endsWith('.html')).map((name) => name.slice(0, -5));
    const index = new Map((await this.#readIndex()).map((entry) => [entry.version, entry]));
    const found: StartPage[] = [];
    for (const version of versions.filter(isWebVersion)) {
      const entry = index.get(version);
      const isUnchanged = entry !== undefined && (await this.#sizeOf(version)) === entry.bytes;
      const page = isUnchanged ? entry : await this.#entryOfFile(version);
      if (page !== null) found.push(page);
    }
    return found.sort(byAge);
  }

  async #write(entry: StartPage, html: string): Promise<boolean> {
    // Another session may have kept it while this one waited.
    if (await this.#isKept(entry)) return true;
    const entries = await this.#readIndex();
    const isForeignFile = !entries.some(({ version }) => version === entry.version);
    if (isForeignFile && (await this.#sizeOf(entry.version)) !== null) return true;
    await this.#replace(`${entry.version}.html`, html);
    const others = entries.filter(({ version }) => version !== entry.version);
    const kept = [entry, ...others].filter(({ version }, i) => i < keptMax || version === this.#pinned);
    await this.#replace('index.json', `${JSON.stringify(kept, null, 2)}\n`);
    const dropped = others.filter((other) => !kept.includes(other));
    await Promise.all(dropped.map(({ version }) => rm(this.#fileOf(version), { force: true })));
    return true;
  }

  async #isKept({ version, sha256, bytes }: StartPage): Promise<boolean> {
    const known = (await this.#readIndex()).find((entry) => entry.version === version);
    return known?.sha256 === sha256 && (await this.#sizeOf(version)) === bytes;
  }

  /** Unreadable entries are skipped; an unreadable index counts as empty. */
  async #readIndex(): Promise<StartPage[]> {
    const text = await readFile(join(this.#dir, 'index.json'), 'utf8').catch(() => null);
    const found = new Map<string, StartPage>();
    for (const value of parseAs(z.array(z.unknown()), text) ?? []) {
      const { data } = entrySchema.safeParse(value);
      if (data !== undefined && !found.has(data.version)) found.set(data.version, data);
    }
    return [...found.values()].sort(byAge);
  }

  #fileOf(version: string): string {
    return join(this.#dir, `${version}.html`);
  }

  /** null: the file is missing, or cannot be a start page. */
  async #entryOfFile(version: string): Promise<StartPage | null> {
    const found = await stat(this.#fileOf(version)).catch(() => null);
    if (!found?.isFile() || found.size === 0 || found.size > bytesMax) return null;
    const html = await readFile(this.#fileOf(version)).catch(() => null);
    if (html === null) return null;
    return { version, sha256: sha256Hex(html), bytes: html.length, kept_at: found.mtime.toISOString() };
  }

  /** In bytes; null: there is no such file. */
  async #sizeOf(version: string): Promise<number | null> {
    const found = await stat(this.#fileOf(version)).catch(() => null);
    return found?.isFile() ? found.size : null;
  }

  async #replace(name: string, text: string): Promise<void> {
    const temporary = join(this.#dir, `.${name}.${randomUUID()}.new`);
    try {
      await writeFile(temporary, text);
      await rename(temporary, join(this.#dir, name));
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** The lock is a file: threads and processes share the directory. */
  async #whileLocked<T>(work: () => Promise<T>): Promise<T> {
    const lock = join(this.#dir, '.index.lock');
    const deadline = performance.now() + lockTimeoutMs;
    while (!(await this.#takeLock(lock))) {
      if (performance.now() > deadline) throw new Error(`${lock} is held by another process or thread`);
      await pause(20);
    }
    try {
      return await work();
    } finally {
      await rm(lock, { force: true });
    }
  }

  async #takeLock(lock: string): Promise<boolean> {
    try {
      await (await open(lock, 'wx')).close();
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const createdAt = await stat(lock).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      );
      if (Math.abs(Date.now() - createdAt) > staleLockMs) await rm(lock, { force: true });
      return false;
    }
  }
}

function byAge(one: StartPage, other: StartPage): number {
  return Date.parse(other.kept_at) - Date.parse(one.kept_at);
}
