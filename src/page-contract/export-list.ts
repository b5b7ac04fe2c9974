import { readFile } from 'node:fs/promises';
import { z } from 'zod';

export const modulesSchema = z.record(z.string(), z.array(z.string()).nullable());

const listSchema = z.object({
  revision: z.string().describe("the page's version"),
  built: z.string().nullable(),
  what: z.string().describe('how and when the names were read'),
  modules: modulesSchema,
});

/** The names that each module of WhatsApp Web's page exports; null: the page has no such module. */
export type ExportList = Readonly<z.infer<typeof listSchema>>;

/** The list that Holdline comes with. */
export async function readKnownExports(): Promise<ExportList> {
  const text = await readFile(new URL('./known-exports.json', import.meta.url), 'utf8');
  return listSchema.parse(JSON.parse(text));
}

/** One module per line, so that a diff of two lists is readable. */
export function formatExports({ modules, ...head }: ExportList): string {
  const spaced = (names: readonly string[] | null) =>
    names === null ? 'null' : `[${names.map((name) => JSON.stringify(name)).join(', ')}]`;
  const lines = Object.entries(modules).map(
    ([module, names]) => `${JSON.stringify(module)}: ${spaced(names)}`,
  );
  const facts = Object.entries(head).map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
  );
  return `{\n${facts.join(',\n')},\n"modules": {\n${lines.join(',\n')}\n}\n}\n`;
}

/** The members of a default export are not in the list. */
export function hasOnlyDefault(names: readonly string[]): boolean {
  return names.length === 1 && names[0] === 'default';
}

export interface ListDifference {
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

/**
 * The modules and exports that are gone or added, by name. A module that is not in `before` is no difference. The exports of a
 * module are not compared if it has only a default export in either list.
 */
export function compareLists(before: ExportList, after: ExportList): ListDifference {
  const gone: string[] = [];
  const added: string[] = [];
  for (const [module, now] of Object.entries(after.modules)) {
    const then = before.modules[module];
    if (then === undefined || (then === null && now === null)) continue;
    if (now === null) gone.push(module);
    else if (then === null) added.push(module);
    else if (!hasOnlyDefault(then) && !hasOnlyDefault(now)) {
      gone.push(...then.filter((name) => !now.includes(name)).map((name) => `${module}.${name}`));
      added.push(...now.filter((name) => !then.includes(name)).map((name) => `${module}.${name}`));
    }
  }
  return { gone, added };
}
