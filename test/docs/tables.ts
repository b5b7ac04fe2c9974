import { type Scope, scopes } from '../../src/contract/access.js';
import { type Operation, rows } from '../../src/contract/operations.js';
import { markdownTable, replaceSection } from '../support/markdown.js';

/** The tables of the documentation that follow from the table of operations, each with the file that has it. */
export const sections: readonly { readonly file: string; readonly name: string; readonly text: string }[] = [
  { file: 'docs/api.md', name: 'operations', text: operationsTable() },
  { file: 'docs/mcp.md', name: 'tools', text: toolsTable() },
  { file: 'docs/security.md', name: 'scopes', text: scopesTable() },
];

/** The page with one section made anew. Throws if its marks are missing. */
export function withSection(page: string, name: string, text: string): string {
  const marks = { name, begin: `<!-- ${name}: made by npm run docs -->`, end: `<!-- /${name} -->` };
  return replaceSection(page, marks, text);
}

function operationsTable(): string {
  const lines = rows.map(([, { routes, summary, scope }]) => [pathsOf(routes), summary, `\`${scope}\``]);
  return markdownTable([['path', 'what it does', 'scope'], ...lines]);
}

function toolsTable(): string {
  const lines = rows.flatMap(([, { tool, input, routes, delivery }]) => {
    if (tool === null) return [];
    const fields = Object.entries(input.shape).map(([name, schema]) =>
      schema.safeParse(undefined).success ? `\`${name}?\`` : `\`${name}\``,
    );
    const all = [...fields, ...(delivery === 'once' ? ['`idempotency_key?`'] : [])];
    return [[`\`${tool.name}\``, all.join(', ') || 'none', pathsOf(routes.slice(0, 1))]];
  });
  return markdownTable([['tool', 'arguments', 'the same as'], ...lines]);
}

function scopesTable(): string {
  const lines = scopes.map((scope, i) => [
    `\`${scope}\``,
    [...(i === 0 ? [] : [`all of \`${scopes[i - 1]}\``]), ...ofScope(scope)].join(', '),
  ]);
  return markdownTable([['scope', 'operations'], ...lines]);
}

function ofScope(scope: Scope): string[] {
  return rows.flatMap(([, operation]) => (operation.scope === scope ? [pathsOf(operation.routes)] : []));
}

function pathsOf(routes: Operation['routes']): string {
  const methods = new Map<string, string[]>();
  for (const { method, path } of routes) methods.set(path, [...(methods.get(path) ?? []), method]);
  return [...methods].map(([path, its]) => `\`${its.join(', ')} ${path}\``).join(', ');
}
