import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';

/**
 * Proves that the linter enforces the import rules. Lints files with forbidden and allowed lines in one run under the
 * project's own biome.json. Each line says what must be reported.
 */

const root = resolve(import.meta.dirname, '../../../..');

const imports = 'noRestrictedImports';
const properties = 'noJsRestrictedProperties';
const dependencies = 'noUndeclaredDependencies';
const promises = 'noFloatingPromises';
const rulesUnderTest: readonly string[] = [imports, properties, dependencies, promises];

type Line = readonly [code: string, reported?: string];

const outside: readonly Line[] = [
  [`export * from '../../test/support/eventually.js';`, imports],
  [`export * from '../../scripts/setup.js';`, imports],
  [`export * from '../../dist/src/main.js';`, imports],
  [`export * from '../../src/platform/redis.js';`, imports],
];
const whatsapp: readonly Line[] = [
  [`import 'whatsapp-web.js';`, imports],
  [`import 'whatsapp-web.js/src/Client.js';`, imports],
  [`export const later = () => import('whatsapp-web.js');`, imports],
];
const processRules: readonly Line[] = [
  [`export const home = process.env.HOME;`, properties],
  [`export const path = process['env']['PATH'];`, properties],
  [`export const { env } = process;`, properties],
  [`export const hidden = globalThis.process;`, properties],
  [`export const end = () => process.exit(1);`, properties],
  [`export const { exit } = process;`, properties],
  [`export { env as environment } from 'node:process';`, imports],
  [`export { exit as quit } from 'process';`, imports],
  [`process.exitCode = 1;`],
  [`export const version = process.version;`],
];

const files: readonly { title: string; file: string; lines: readonly Line[] }[] = [
  {
    title: 'contract imports zod and its own files only',
    file: 'src/contract/violations.ts',
    lines: [
      [`export { z } from 'zod';`],
      [`export * from './keys.js';`],
      [`export * from 'zod/v3';`, imports],
      [`export * from 'node:path';`, imports],
      [`export * from 'bullmq';`, imports],
      [`export type * from '../platform/config.js';`, imports],
      [`export * from './../platform/config.js';`, imports],
      [`export * from '../supervisor/run.js';`, imports],
      [`export * from '../session-worker/main.js';`, imports],
      [`export * from '../http/server.js';`, imports],
      [`export * from '../main.js';`, imports],
      [`export const later = () => import('../http/server.js');`, imports],
      [`export * from '../../test/support/eventually.js';`, imports],
      [`import 'whatsapp-web.js';`, imports],
    ],
  },
  {
    title: 'the rows of the table of operations import zod and contract only',
    file: 'src/contract/operations/violations.ts',
    lines: [
      [`export { z } from 'zod';`],
      [`export * from './operation.js';`],
      [`export * from '../keys.js';`],
      [`export * from 'node:path';`, imports],
      [`export * from '../../platform/config/config.js';`, imports],
      [`export * from '../../main.js';`, imports],
      [`export * from './../../http/server.js';`, imports],
    ],
  },
  {
    title: 'platform imports contract and itself, none of the parts',
    file: 'src/platform/violations.ts',
    lines: [
      [`export * from '../contract/keys.js';`],
      [`export * from './redis.js';`],
      [`export * from 'node:http';`],
      [`export * from '../supervisor/run.js';`, imports],
      [`export * from '../session-worker/main.js';`, imports],
      [`export * from '../http/server.js';`, imports],
      [`export * from '../main.js';`, imports],
      ...outside,
      ...whatsapp,
    ],
  },
  {
    title: 'supervisor imports neither session-worker nor http',
    file: 'src/supervisor/violations.ts',
    lines: [
      [`export * from '../contract/keys.js';`],
      [`export * from '../platform/redis.js';`],
      [`export const thread = new URL('../session-worker/main.js', import.meta.url);`],
      [`export * from '../session-worker/main.js';`, imports],
      [`export type * from '../session-worker/main.js';`, imports],
      [`export * from '../http/server.js';`, imports],
      [`export * from '../main.js';`, imports],
      ...outside,
      ...whatsapp,
    ],
  },
  {
    title: 'session-worker imports neither supervisor nor http',
    file: 'src/session-worker/violations.ts',
    lines: [
      [`export * from '../contract/keys.js';`],
      [`export * from '../platform/redis.js';`],
      [`export * from './whatsapp/client.js';`],
      [`export * from '../supervisor/run.js';`, imports],
      [`export * from '../http/server.js';`, imports],
      [`export * from '../main.js';`, imports],
      ...outside,
      ...whatsapp,
    ],
  },
  {
    title: 'the folder of session-worker that knows WhatsApp imports nothing of its parent folder',
    file: 'src/session-worker/whatsapp/violations.ts',
    lines: [
      [`export * from '../../contract/keys.js';`],
      [`export * from '../../platform/redis.js';`],
      [`export * from './client.js';`],
      [`export * from './in-page/agent.js';`],
      [`export * from 'node:path';`],
      [`export * from '../page-health.js';`, imports],
      [`export type * from '../page-health.js';`, imports],
      [`export * from '../operations/operations.js';`, imports],
      [`export * from './../page-health.js';`, imports],
      [`export * from './in-page/../../page-health.js';`, imports],
      [`export * from '../../contract/../session-worker/page-health.js';`, imports],
      [`export * from '../../supervisor/run.js';`, imports],
      [`export * from '../../http/server.js';`, imports],
      [`export * from '../../main.js';`, imports],
      ...outside,
      ...whatsapp,
    ],
  },
  {
    title: 'a script for the page imports contract and its own folder',
    file: 'src/session-worker/whatsapp/in-page/violations.ts',
    lines: [
      [`export type * from '../../../contract/page.js';`],
      [`export * from './ids.js';`],
      [`export * from '../client.js';`, imports],
      [`export * from '../../page-health.js';`, imports],
      [`export * from '../../../platform/redis.js';`, imports],
      [`export * from './../client.js';`, imports],
      ...whatsapp,
    ],
  },
  {
    title: 'only one file of that folder may import whatsapp-web.js, and has no other exception',
    file: 'src/session-worker/whatsapp/attached-client.ts',
    lines: [
      [`import 'whatsapp-web.js';`],
      [`import 'whatsapp-web.js/src/Client.js';`],
      [`export * from '../../platform/redis.js';`],
      [`export * from '../page-health.js';`, imports],
      [`export * from '../../supervisor/run.js';`, imports],
      [`export * from '../../http/server.js';`, imports],
      [`export * from '../../main.js';`, imports],
      [`export { env } from 'node:process';`, imports],
      [`export { exit } from 'process';`, imports],
      ...outside,
    ],
  },
  {
    title: 'http imports neither supervisor nor session-worker',
    file: 'src/http/violations.ts',
    lines: [
      [`export * from '../contract/keys.js';`],
      [`export * from '../platform/redis.js';`],
      [`export * from 'node:http';`],
      [`export * from '../supervisor/run.js';`, imports],
      [`export * from '../session-worker/main.js';`, imports],
      [`export * from '../main.js';`, imports],
      ...outside,
      ...whatsapp,
    ],
  },
  {
    title: 'the rules reach into sub-folders',
    file: 'src/http/pages/violations.ts',
    lines: [
      [`export * from '../../contract/keys.js';`],
      [`export * from '../../supervisor/run.js';`, imports],
      [`export * from '../../session-worker/main.js';`, imports],
      [`export * from '../../../test/support/eventually.js';`, imports],
    ],
  },
  {
    title: 'http/core imports its own files, contract and platform, and nothing above it',
    file: 'src/http/core/violations.ts',
    lines: [
      [`export * from './responses.js';`],
      [`export * from '../../contract/errors.js';`],
      [`export * from '../../platform/redis/connection.js';`],
      [`export * from 'node:http';`],
      [`export * from 'polka';`],
      [`export * from '../auth/api-keys.js';`, imports],
      [`export type * from '../session/run-queue.js';`, imports],
      [`export * from './../pages/layout.js';`, imports],
      [`export * from '../server.js';`, imports],
      [`export * from '../../http/server.js';`, imports],
      [`export * from '../../platform/../http/server.js';`, imports],
      [`export const later = () => import('../routes.js');`, imports],
      [`export * from '../../supervisor/run.js';`, imports],
      [`export * from '../../session-worker/main.js';`, imports],
      [`export * from '../../main.js';`, imports],
      [`export * from '../../../test/support/eventually.js';`, imports],
      ...whatsapp,
    ],
  },
  {
    title: 'the rules apply to a new folder in src',
    file: 'src/newcomer/violations.ts',
    lines: [...outside, ...whatsapp],
  },
  {
    title: 'the entry imports every part, and no test',
    file: 'src/main.ts',
    lines: [
      [`export * from './supervisor/run.js';`],
      [`export * from './http/server.js';`],
      [`export const home = process.env.HOME;`],
      [`export const end = () => process.exit(1);`],
      [`export * from '../test/support/eventually.js';`, imports],
      [`import 'whatsapp-web.js';`, imports],
    ],
  },
  ...['platform', 'supervisor', 'session-worker', 'http'].map((folder) => ({
    title: `${folder} neither reads the environment nor ends the process`,
    file: `src/${folder}/process.ts`,
    lines: processRules,
  })),
  {
    title: 'the configuration may read the environment, but not end the process',
    file: 'src/platform/config/config.ts',
    lines: [
      [`export const home = process.env.HOME;`],
      [`export const end = () => process.exit(1);`, properties],
    ],
  },
  {
    title: 'the entry of a tool imports parts and may read the environment, but not end the process',
    file: 'src/import-session.ts',
    lines: [
      [`export * from './supervisor/run.js';`],
      [`export const home = process.env.HOME;`],
      [`export const end = () => process.exit(1);`, properties],
      [`import 'whatsapp-web.js';`, imports],
    ],
  },
  {
    title: 'the shutdown may end the process, but not read the environment',
    file: 'src/platform/shutdown.ts',
    lines: [
      [`export const end = () => process.exit(1);`],
      [`export const home = process.env.HOME;`, properties],
    ],
  },
  {
    title: 'development dependencies stay out of src',
    file: 'src/platform/dependencies.ts',
    lines: [
      [`export * from 'ioredis';`],
      [`export * from 'jsqr';`, dependencies],
      [`export * from 'left-pad';`, dependencies],
    ],
  },
  {
    title: 'tests may use development dependencies, every part, the environment and exit',
    file: 'test/unit/allowed.ts',
    lines: [
      [`export * from 'jsqr';`],
      [`export * from '../../src/http/server.js';`],
      [`export * from '../../src/supervisor/run.js';`],
      [`export const home = process.env.HOME;`],
      [`export const end = () => process.exit(1);`],
    ],
  },
  {
    title: 'a floating promise is reported, across modules too',
    file: 'src/http/promises.ts',
    lines: [
      [`import { later } from '../platform/later.js';`],
      [`export function start(): void {`],
      [`  later();`, promises],
      [`  void later();`],
      [`  later().catch(() => undefined);`],
      [`}`],
    ],
  },
];

interface Report {
  readonly diagnostics: readonly {
    readonly category: string;
    readonly location: { readonly path: string; readonly start?: { readonly line: number } };
  }[];
}

describe('import rules', () => {
  let tree: string;
  let found: Map<string, string[]>;

  before(async () => {
    tree = await mkdtemp(join(tmpdir(), 'holdline-import-rules-'));
    for (const name of ['biome.json', 'package.json', '.gitignore']) {
      await copyFile(join(root, name), join(tree, name));
    }
    await write('src/platform/later.ts', ['export async function later(): Promise<void> {}']);
    for (const { file, lines } of files) {
      await write(
        file,
        lines.map(([code]) => code),
      );
    }
    found = await lint(tree);
  });

  after(() => rm(tree, { recursive: true, force: true }));

  for (const { title, file, lines } of files) {
    it(title, () => {
      const expected = lines.flatMap(([code, rule]) => (rule ? [`${rule}: ${code}`] : []));
      const codes = lines.map(([code]) => code);
      const actual = (found.get(file) ?? []).map((report) => {
        const [rule, line] = report.split(':');
        return `${rule}: ${codes[Number(line) - 1]}`;
      });
      assert.deepEqual(actual.sort(), expected.sort());
    });
  }

  async function write(file: string, lines: readonly string[]): Promise<void> {
    await mkdir(dirname(join(tree, file)), { recursive: true });
    await writeFile(join(tree, file), `${lines.join('\n')}\n`);
  }
});

/** `rule:line` of every report of the rules under test, by file. */
async function lint(tree: string): Promise<Map<string, string[]>> {
  const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');
  const args = [biome, 'lint', '--reporter=json', '--max-diagnostics=none', '.'];
  const output = await new Promise<string>((settle, reject) => {
    execFile(
      process.execPath,
      args,
      { cwd: tree, maxBuffer: 16 << 20, timeout: 180_000 },
      (error, stdout, stderr) => {
        // biome exits with 1 because of the violations. Without a report it has failed.
        if (stdout.trim() === '') reject(new Error(`biome reported nothing: ${stderr}`, { cause: error }));
        else settle(stdout);
      },
    );
  });
  const found = new Map<string, string[]>();
  for (const { category, location } of (JSON.parse(output) as Report).diagnostics) {
    const rule = category.split('/').at(-1) ?? category;
    if (!rulesUnderTest.includes(rule)) continue;
    const file = relative(tree, resolve(tree, location.path));
    found.set(file, [...(found.get(file) ?? []), `${rule}:${location.start?.line ?? 0}`]);
  }
  return found;
}
