import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** A module of WhatsApp Web's page that the library requires, and a member of it that the library uses. */
export interface LibraryUse {
  readonly module: string;
  /** null: the module itself is used, or no member could be recognised. */
  readonly member: string | null;
  /** The first use, as `Client.js:12`. */
  readonly at: string;
}

export interface LibraryUses {
  readonly version: string;
  readonly uses: readonly LibraryUse[];
  /** The number of `require` calls whose module name is computed: nothing is known about these. */
  readonly computed: number;
}

interface Source {
  /** Its path below `src`. */
  readonly name: string;
  readonly text: string;
}

const requireCall = /require\(\s*['"](WA[\w.]+)['"]\s*,?\s*\)/g;
const computedCall = /window\s*\.\s*require\(\s*(?!['"\s])/g;
const injected = /module:\s*['"](WA[\w.]+)['"],\s*(?:index:\s*\w+,\s*)?function:\s*['"]([\w$]+)/g;

export async function readLibraryUses(): Promise<LibraryUses> {
  const dir = dirname(createRequire(import.meta.url).resolve('whatsapp-web.js/package.json'));
  const { version } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as { version: string };
  return { version, ...findUses(await readSources(join(dir, 'src'))) };
}

/**
 * Searches the library's source with regular expressions. What it finds: `require('M').member`,
 * `const { member } = require('M')`, and `X.member` after `X = require('M')`. What it does not find: modules passed as
 * arguments and members with computed names. It does not know whether the library checks first that a name exists.
 */
export function findUses(sources: readonly Source[]): Pick<LibraryUses, 'uses' | 'computed'> {
  const found = new Map<string, LibraryUse>();
  const add = (module: string, member: string | null, source: Source, index: number) => {
    const name = `${module} ${member ?? ''}`;
    if (found.has(name)) return;
    found.set(name, { module, member, at: `${source.name}:${lineOf(source.text, index)}` });
  };
  for (const source of sources) {
    for (const match of source.text.matchAll(requireCall)) {
      const [call, module = ''] = match;
      const members = membersAt(source, match.index, match.index + call.length, sources);
      for (const member of members.length > 0 ? members : [null]) add(module, member, source, match.index);
    }
    for (const match of source.text.matchAll(injected)) {
      const [, module = '', member = ''] = match;
      add(module, member, source, match.index);
    }
  }
  const computed = sources.flatMap(({ text }) => [...text.matchAll(computedCall)]).length;
  const uses = [...found.values()].sort((a, b) => useName(a).localeCompare(useName(b)));
  return { uses, computed };
}

export function useName({ module, member }: LibraryUse): string {
  return member === null ? module : `${module}.${member}`;
}

async function readSources(dir: string): Promise<Source[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.js'));
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Promise.all(
    paths.map(async (path) => ({ name: relative(dir, path), text: await readFile(path, 'utf8') })),
  );
}

/** The members that the library uses of one module. The `require` call from `start` to `end` returns that module. */
function membersAt({ text }: Source, start: number, end: number, sources: readonly Source[]): string[] {
  const direct = /^\s*\??\.\s*([\w$]+)/.exec(text.slice(end))?.[1];
  if (direct !== undefined) return [direct];
  const before = text.slice(Math.max(0, start - 2_000), start).replace(/window\s*\.\s*$/, '');
  const destructured = /\{([^{}]*)\}\s*=\s*$/.exec(before)?.[1];
  if (destructured !== undefined) return namesOf(destructured);
  const target = /([\w$]+(?:\.[\w$]+)*)\s*=\s*$/.exec(before)?.[1];
  if (target === undefined) return [];
  // A property, such as `window.Store.X`, can be used in every file.
  if (target.includes('.')) return sources.flatMap((source) => membersUsedOf(target, source.text));
  return membersUsedOf(target, untilRedeclared(target, text.slice(end)));
}

/** `a`, `b` and `d` for the pattern `a, b: c, d = 1`. */
function namesOf(pattern: string): string[] {
  const names = pattern.split(',').map((part) => /^\s*([\w$]+)/.exec(part)?.[1]);
  return names.filter((name) => name !== undefined);
}

function membersUsedOf(target: string, text: string): string[] {
  const path = target.split('.').map(escapeDollar).join('\\s*\\.\\s*');
  const uses = text.matchAll(new RegExp(`(?<![\\w$.])${path}\\s*\\??\\.\\s*([\\w$]+)`, 'g'));
  return [...new Set([...uses].map(([, member = '']) => member))];
}

/** The text until the variable is declared again: from there on it can be another module. */
function untilRedeclared(variable: string, text: string): string {
  const next = text.search(new RegExp(`\\b(?:const|let|var)\\s+${escapeDollar(variable)}\\b`));
  return next === -1 ? text : text.slice(0, next);
}

function escapeDollar(name: string): string {
  return name.replaceAll('$', '\\$');
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
