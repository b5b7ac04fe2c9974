import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';

/** A module of WhatsApp Web's page that the library asks for, and a member that it takes from it. */
export interface LibraryUse {
  readonly module: string;
  /** null: the module itself is used, or a regular expression cannot tell what of it. */
  readonly member: string | null;
  /** The first place, `Client.js:12`. */
  readonly at: string;
}

export interface LibraryUses {
  readonly version: string;
  readonly uses: readonly LibraryUse[];
  /** Calls of `require` whose module is computed: nothing is known of them. */
  readonly computed: number;
}

interface Source {
  readonly name: string;
  readonly text: string;
}

const requireCall = /require\(\s*['"](WA[\w.]+)['"]\s*,?\s*\)/g;
const computedCall = /window\s*\.\s*require\(\s*(?!['"\s])/g;
const injected = /module:\s*['"](WA[\w.]+)['"],\s*(?:index:\s*\w+,\s*)?function:\s*['"]([\w$]+)/g;

/**
 * Reads the library's source. What it finds: `require('M').member`, `const { member } = require('M')`, and `X.member` where
 * `X = require('M')` stands before. What it cannot see: a module handed on as an argument, members by a computed name,
 * and whether a use is guarded.
 */
export async function readLibraryUses(dir: string = libraryDir()): Promise<LibraryUses> {
  const { version } = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8')) as { version: string };
  const sources = await readSources(join(dir, 'src'));
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
  const uses = [...found.values()].sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  return { version, uses, computed };
}

export function nameOf({ module, member }: LibraryUse): string {
  return member === null ? module : `${module}.${member}`;
}

function libraryDir(): string {
  return dirname(createRequire(import.meta.url).resolve('whatsapp-web.js/package.json'));
}

async function readSources(dir: string): Promise<Source[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.js'));
  const paths = files.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Promise.all(
    paths.map(async (path) => ({ name: relative(dir, path), text: await readFile(path, 'utf8') })),
  );
}

/** What is taken from the module that the call between `start` and `end` gives. */
function membersAt({ text }: Source, start: number, end: number, sources: readonly Source[]): string[] {
  const direct = /^\s*\??\.\s*([\w$]+)/.exec(text.slice(end))?.[1];
  if (direct !== undefined) return [direct];
  const before = text.slice(Math.max(0, start - 2_000), start).replace(/window\s*\.\s*$/, '');
  const destructured = /\{([^{}]*)\}\s*=\s*$/.exec(before)?.[1];
  if (destructured !== undefined) return namesOf(destructured);
  const target = /([\w$]+(?:\.[\w$]+)*)\s*=\s*$/.exec(before)?.[1];
  if (target === undefined) return [];
  // A property of `window` is used in other files as well.
  if (target.includes('.')) return sources.flatMap((source) => membersOf(target, source.text));
  return membersOf(target, untilDeclared(target, text.slice(end)));
}

/** The names of `a, b: c, d = 1`. */
function namesOf(pattern: string): string[] {
  const names = pattern.split(',').map((part) => /^\s*([\w$]+)/.exec(part)?.[1]);
  return names.filter((name) => name !== undefined);
}

function membersOf(target: string, text: string): string[] {
  const path = target.split('.').map(escaped).join('\\s*\\.\\s*');
  const uses = text.matchAll(new RegExp(`(?<![\\w$.])${path}\\s*\\??\\.\\s*([\\w$]+)`, 'g'));
  return [...new Set([...uses].map(([, member = '']) => member))];
}

function untilDeclared(variable: string, text: string): string {
  const next = text.search(new RegExp(`\\b(?:const|let|var)\\s+${escaped(variable)}\\b`));
  return next === -1 ? text : text.slice(0, next);
}

function escaped(name: string): string {
  return name.replaceAll('$', '\\$');
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
