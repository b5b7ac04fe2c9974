import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

/**
 * What the documentation names exists: the files and headings of its links, paths of the tree, and npm commands. Links to other
 * sites are not followed.
 */

const root = resolve(import.meta.dirname, '../../../..');
const pages = [
  ...pagesIn('.', { recursive: false }),
  ...['docs', 'deploy', 'src', 'test'].flatMap((directory) => pagesIn(directory, { recursive: true })),
];

for (const page of pages) {
  test(`every link of ${page} leads to a file, and to a heading where it names one`, () => {
    assert.deepEqual(brokenLinks(page, readFileSync(join(root, page), 'utf8')), []);
  });
}

for (const page of pages.filter((name) => name !== 'CHANGELOG.md')) {
  test(`every path of the tree that ${page} names exists`, () => {
    const text = readFileSync(join(root, page), 'utf8');
    const paths = [...text.matchAll(/`((?:src|test|scripts|deploy|docs)\/[\w./-]+)`/g)];
    const missing = paths.map(([, path = '']) => path).filter((path) => !existsSync(join(root, path)));
    assert.deepEqual(missing, []);
  });
}

for (const page of pages.filter((name) => name !== 'CHANGELOG.md')) {
  test(`every npm command that ${page} names exists`, () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
    const named = readFileSync(join(root, page), 'utf8').matchAll(/\bnpm\s+run\s+(?:-s\s+)?([\w:-]+)/g);
    const missing = [...named].map(([, name = '']) => name).filter((name) => !(name in scripts));
    assert.deepEqual(missing, []);
  });
}

test('docs/README.md has a link to every page of docs', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const linked = linksOf(index).map((link) => join('docs', link.split('#')[0] ?? ''));
  const missing = pages.filter((page) => page.startsWith('docs/') && !linked.includes(page));
  assert.deepEqual(missing, ['docs/README.md']);
});

test('a link to a missing file or a missing heading is reported', () => {
  const page = [
    '# The `first` page, of (two)',
    '[here](#the-first-page-of-two) [site](https://example.com/x) [readme](../README.md#start)',
    '[gone](gone.md) [no heading](../README.md#no-such) [not here](#the-second-page)',
    '<img src="gone.png"> <img src="../README.md"> <source srcset="gone-dark.png">',
    '`[code](gone.md)`',
    '```',
    '# Not a heading',
    '[code](gone.md)',
    '```',
    '[no heading](#not-a-heading)',
  ].join('\n');
  const broken = ['gone.md', '../README.md#no-such', '#the-second-page', '#not-a-heading'];
  broken.push('gone.png', 'gone-dark.png');
  assert.deepEqual(brokenLinks('docs/page.md', page), broken);
});

/** The Markdown files of a directory, as paths from the root. */
function pagesIn(directory: string, options: { recursive: boolean }): string[] {
  return readdirSync(join(root, directory), { ...options, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(directory, name));
}

/** `page`: its path from the root. */
function brokenLinks(page: string, text: string): string[] {
  return linksOf(text).filter((link) => {
    const [path = '', heading] = decodeURI(link).split('#');
    const target = path === '' ? null : join(root, dirname(page), path);
    if (target !== null && !existsSync(target)) return true;
    if (heading === undefined) return false;
    return !headingsOf(target === null ? text : readFileSync(target, 'utf8')).includes(heading);
  });
}

function linksOf(text: string): string[] {
  const prose = withoutCodeBlocks(text).replaceAll(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g), ...prose.matchAll(/ (?:src|srcset|href)="([^"]+)"/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link));
}

/** The anchors that GitHub makes of the headings. */
function headingsOf(text: string): string[] {
  const headings = [...withoutCodeBlocks(text).matchAll(/^#+ +(.+)$/gm)].map(([, heading = '']) => heading);
  return headings.map((heading) =>
    heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutCodeBlocks(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```/gm, '');
}
