import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { Project, type Result, root } from './project.js';

const dir = scratchDir();
after(assertNothingLeft);

/** Starts the role http of a product that prints its environment. */
async function start(envFile: string, environment: Record<string, string> = {}): Promise<Result> {
  const project = new Project(dir).withPrograms('src/main');
  project.write('.env', envFile);
  return project.run('start', ['http'], environment);
}

const taken = ({ stdout }: Result) =>
  Object.fromEntries(
    Object.entries(JSON.parse(stdout) as Record<string, string>).filter(
      ([name]) => name.startsWith('WHATSAPP_') || name === 'REDIS_URL',
    ),
  );

describe('.env', () => {
  it('is read by npm start, which says what it took, and the environment takes precedence', async () => {
    const result = await start(
      'REDIS_URL=redis://:secret@h:6379\nWHATSAPP_MCP_PORT=1\nWHATSAPP_MCP_HOST=::1\nREDIS_PASSWORD=secret\nWHATSAPP_API_KEYS=\n',
      { WHATSAPP_MCP_PORT: '2', WHATSAPP_MCP_HOST: '' },
    );
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(taken(result), {
      REDIS_URL: 'redis://:secret@h:6379',
      WHATSAPP_MCP_HOST: '',
      WHATSAPP_MCP_PORT: '2',
    });
    assert.match(
      result.stderr,
      /^holdline: from .env: REDIS_URL; in .env too, but taken from the environment: WHATSAPP_MCP_PORT, WHATSAPP_MCP_HOST; in .env, but not used here: REDIS_PASSWORD\n/,
    );
    assert.doesNotMatch(result.stderr, /secret/);
  });

  /** Docker Compose reads these in the same way. */
  for (const [line, value] of [
    ['WHATSAPP_X=plain', 'plain'],
    ['  export WHATSAPP_X = two words  \r', 'two words'],
    ['WHATSAPP_X=a#b,c=d', 'a#b,c=d'],
    ['WHATSAPP_X=value # a comment', 'value'],
    ['WHATSAPP_X={"startDeadlineMs":30000}', '{"startDeadlineMs":30000}'],
    ['WHATSAPP_X=\'{"a": 1}\'', '{"a": 1}'],
    ['WHATSAPP_X=\'--a="b c" $e \\ # no comment\' # one', '--a="b c" $e \\ # no comment'],
    ['WHATSAPP_X="it\'s # here"', "it's # here"],
    ['\ufeffWHATSAPP_X=after a mark of the editor', 'after a mark of the editor'],
  ] as const) {
    it(`may have the line ${JSON.stringify(line)}`, async () => {
      const result = await start(`${line}\n# WHATSAPP_X=other\n\nREDIS_URL=redis://h`);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(taken(result).WHATSAPP_X, value);
    });
  }

  it('names every line that is wrong, and no value', async () => {
    const wrong = [
      ['secret', 'is not NAME=value'],
      ['WHATSAPP-X=secret', 'is not NAME=value'],
      [
        'WHATSAPP_A=$HOME/secret',
        'value of WHATSAPP_A that programs read differently: put the value in single',
      ],
      ['WHATSAPP_B="{\\"secret\\":1}"', 'value of WHATSAPP_B that programs'],
      ['WHATSAPP_C="secret', 'value of WHATSAPP_C that programs'],
      ["WHATSAPP_D='secret' 'secret'", "value of WHATSAPP_D that must end with its only second '"],
      ['WHATSAPP_G=`secret`', 'value of WHATSAPP_G that programs'],
      ['WHATSAPP_E=secret', 'sets WHATSAPP_E again'],
      ['WHATSAPP_F=c:\\secret', 'value of WHATSAPP_F that programs'],
    ] as const;
    const { code, stdout, stderr } = await start(
      `WHATSAPP_E=first\n${wrong.map(([line]) => `${line}\n`).join('')}`,
    );
    assert.deepEqual([code, stdout], [78, '']);
    const lines = stderr.trimEnd().split('\n');
    assert.equal(lines.length, wrong.length);
    wrong.forEach(([, problem], i) => {
      const line = lines[i] ?? '';
      assert.ok(line.startsWith(`holdline: line ${i + 2} of .env `) && line.includes(problem), line);
    });
    assert.doesNotMatch(stderr, /secret/);
  });

  it('must be a file that can be read', async () => {
    const project = new Project(dir).withPrograms('src/main');
    mkdirSync(join(project.dir, '.env'));
    const { code, stderr } = await project.run('start', []);
    assert.equal(code, 78);
    assert.match(stderr, /^holdline: \S+\/\.env cannot be read: make it a file .*\n$/);
  });

  it('takes every line of .env.example once its # is removed', async () => {
    const lines = readFileSync(join(root, '.env.example'), 'utf8').split('\n');
    const settings = lines.flatMap((line) => /^#([A-Z_]+=.*)$/.exec(line)?.[1] ?? []);
    assert.ok(settings.length > 25);
    const own = settings.filter((line) => !line.startsWith('REDIS_URL')).join('\n');
    const result = await start(`REDIS_URL=redis://h\n${own}`);
    assert.equal(result.code, 0, result.stderr);
    const { WHATSAPP_TIMING, WHATSAPP_AUTH_DIR } = taken(result);
    assert.deepEqual([WHATSAPP_TIMING, WHATSAPP_AUTH_DIR], ['{}', '.wwebjs_auth']);
  });

  const programs = {
    doctor: 'src/doctor',
    key: 'src/key',
    'import-session': 'src/import-session',
    'page-contract': 'src/page-contract',
    passkey: 'src/passkey',
    test: 'test/run',
    docs: 'test/docs/main',
  };
  for (const [name, reads] of [
    ['doctor', true],
    ['import-session', true],
    ['page-contract', true],
    ['key', false],
    ['passkey', false],
    ['test', false],
    ['docs', false],
  ] as const) {
    it(`is ${reads ? 'read' : 'not read'} by ${name}`, async () => {
      const project = new Project(dir).withPrograms(programs[name]);
      for (const part of ['unit', 'integration', 'faults', 'e2e'])
        project.write(`test/${part}/a.test.ts`, '');
      project.write('.env', 'WHATSAPP_MCP_PORT=1\n');
      const result = await project.run(name, []);
      assert.equal(result.code, 0, result.stderr);
      assert.equal(taken(result).WHATSAPP_MCP_PORT, reads ? '1' : undefined);
      const said = 'from .env: WHATSAPP_MCP_PORT';
      assert.equal(result.stderr.includes(said), reads && name !== 'doctor');
      if (name === 'doctor')
        assert.equal((JSON.parse(result.stdout) as Record<string, string>).HOLDLINE_ENV_FILE, said);
    });
  }

  it('may forbid an installation', async () => {
    const project = new Project(dir);
    project.write('.env', 'WHATSAPP_INSTALL=never\nREDIS_URL=redis://h\n');
    for (const name of ['start', 'doctor', 'key', 'build', 'demo', 'import-session', 'page-contract']) {
      const { code, stderr } = await project.run(name, []);
      assert.equal(code, 78, name);
      assert.match(stderr, /WHATSAPP_INSTALL=never forbids installing it:\n.*npm packages/);
    }
  });
});
