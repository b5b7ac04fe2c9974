import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { isWebVersion } from '../../contract/web-version.js';
import { sha256Hex } from '../../platform/digest.js';

const keptMax = 10;
const bytesMax = 4_194_304;
/** Holding the lock takes milliseconds: whoever made an older one is gone. */
const staleLockMs = 10_000;
const lockPatienceMs = 15_000;

const entrySchema = z.object({
  version: z.string().refine(isWebVersion),
  sha256: z.string(),
  bytes: z.number(),
  kept_at: z.iso.datetime(),
});

export type StartPage = Readonly<z.infer<typeof entrySchema>>;

/**
 * Start pages of versions of WhatsApp Web that worked: `<version>.html` for each, and `index.json` with what is known of
 * them. The newest ten are kept. Files that are not in the index, such as those an operator put there, stay as they are.
 * Best effort: neither method throws. Several sessions, in several processes, may keep pages in one directory.
 */
export class StartPages {
  readonly #dir: string;
  readonly #pinned: string | null;

  /** The pinned version is never removed. */
  constructor(dir: string, pinned: string | null = null) {
    this.#dir = dir;
    this.#pinned = pinned;
  }

  /** Whether the page is kept now. One that is at hand already, by whomever, is not written again. */
  async keep(version: string, html: string): Promise<boolean> {
    const bytes = Buffer.byteLength(html);
    if (!isWebVersion(version) || html.trim() === '' || bytes > bytesMax) return false;
    const entry = { version, sha256: sha256Hex(html), bytes, kept_at: new Date().toISOString() };
    try {
      if (await this.#isAtHand(entry)) return true;
      // The first to make WHATSAPP_AUTH_DIR may be this one, and logins go there.
      await mkdir(this.#dir, { recursive: true, mode: 0o700 });
      return await this.#whileLocked(() => this.#write(entry, html));
    } catch {
      return false;
    }
  }

  /** Every start page that is there, the newest first; of one that is not in the index, what its file tells. */
  async list(): Promise<StartPage[]> {
    const names = await readdir(this.#dir).catch(() => []);
    const versions = names.filter((name) => name.endsWith('.html')).map((name) => name.slice(0, -5));
    const index = new Map((await this.#readIndex()).map((entry) => [entry.version, entry]));
    const found: StartPage[] = [];
    for (const version of versions.filter(isWebVersion)) {
      const entry = index.get(version);
      const isAsKept = entry !== undefined && (await this.#sizeOf(version)) === entry.bytes;
      const page = isAsKept ? entry : await this.#entryOfFile(version);
      if (page !== null) found.push(page);
    }
    return found.sort(byAge);
  }

  async #write(entry: StartPage, html: string): Promise<boolean> {
    // Another session may have kept it while this one waited.
    if (await this.#isAtHand(entry)) return true;
    const entries = await this.#readIndex();
    const isOperators = !entries.some(({ version }) => version === entry.version);
    if (isOperators && (await this.#sizeOf(entry.version)) !== null) return true;
    await this.#replace(`${entry.version}.html`, html);
    const others = entries.filter(({ version }) => version !== entry.version);
    const kept = [entry, ...others].filter(({ version }, i) => i < keptMax || version === this.#pinned);
    await this.#replace('index.json', `${JSON.stringify(kept, null, 2)}\n`);
    const dropped = others.filter((other) => !kept.includes(other));
    await Promise.all(dropped.map(({ version }) => rm(this.#fileOf(version), { force: true })));
    return true;
  }

  async #isAtHand({ version, sha256, bytes }: StartPage): Promise<boolean> {
    const known = (await this.#readIndex()).find((entry) => entry.version === version);
    return known?.sha256 === sha256 && (await this.#sizeOf(version)) === bytes;
  }

  /** An index that cannot be read is one without entries; an entry that cannot be read costs itself. */
  async #readIndex(): Promise<StartPage[]> {
    const text = await readFile(join(this.#dir, 'index.json'), 'utf8').catch(() => '[]');
    const found = new Map<string, StartPage>();
    for (const value of parseList(text)) {
      const { data } = entrySchema.safeParse(value);
      if (data !== undefined && !found.has(data.version)) found.set(data.version, data);
    }
    return [...found.values()].sort(byAge);
  }

  #fileOf(version: string): string {
    return join(this.#dir, `${version}.html`);
  }

  /** null: no start page is in it. */
  async #entryOfFile(version: string): Promise<StartPage | null> {
    const found = await stat(this.#fileOf(version)).catch(() => null);
    if (!found?.isFile() || found.size === 0 || found.size > bytesMax) return null;
    const html = await readFile(this.#fileOf(version)).catch(() => null);
    if (html === null) return null;
    return { version, sha256: sha256Hex(html), bytes: html.length, kept_at: found.mtime.toISOString() };
  }

  /** null: there is no such file. */
  async #sizeOf(version: string): Promise<number | null> {
    const found = await stat(this.#fileOf(version)).catch(() => null);
    return found?.isFile() ? found.size : null;
  }

  async #replace(name: string, text: string): Promise<void> {
    const draft = join(this.#dir, `.${name}.${randomUUID()}.new`);
    try {
      await writeFile(draft, text);
      await rename(draft, join(this.#dir, name));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  }

  /** A file is the lock, because threads and processes share the directory. */
  async #whileLocked<T>(work: () => Promise<T>): Promise<T> {
    const lock = join(this.#dir, '.index.lock');
    const limit = performance.now() + lockPatienceMs;
    while (!(await this.#takeLock(lock))) {
      if (performance.now() > limit) throw new Error(`${lock} is held by another`);
      await delay(20);
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
      const madeAt = await stat(lock).then(
        ({ mtimeMs }) => mtimeMs,
        () => Date.now(),
      );
      if (Math.abs(Date.now() - madeAt) > staleLockMs) await rm(lock, { force: true });
      return false;
    }
  }
}

function byAge(one: StartPage, other: StartPage): number {
  return Date.parse(other.kept_at) - Date.parse(one.kept_at);
}

function parseList(text: string): readonly unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}
