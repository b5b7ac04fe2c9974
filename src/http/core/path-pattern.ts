/** The path and nothing else, `{name}` for one segment: the router's own patterns ignore case and allow a slash at the end. */
export function pathPattern(path: string): RegExp {
  const parts = path.split(/\{(\w+)\}/);
  const pattern = parts.map((part, i) => (i % 2 === 1 ? `(?<${part}>[^/]+)` : escaped(part)));
  return new RegExp(`^${pattern.join('')}$`);
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
