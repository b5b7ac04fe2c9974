import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { assertNothingLeft, scratchDir } from '../../support/leftovers.js';
import { commands, Project } from './project.js';

const dir = scratchDir();
after(assertNothingLeft);

describe('every npm script', () => {
  for (const name of Object.keys(commands)) {
    it(`answers --help with its usage, and installs and builds nothing: ${name}`, async () => {
      const project = new Project(dir);
      const before = readdirSync(project.dir);
      for (const args of [['--help'], ['-h'], ['something', '--help']]) {
        const { code, stdout, stderr } = await project.run(name, args);
        assert.deepEqual([code, stderr], [0, ''], args.join());
        const command = ['start', 'test'].includes(name) ? `npm ${name}` : `npm run ${name}`;
        assert.match(stdout, /^npm .*: /);
        assert.ok(stdout.includes(command) || name === 'test:faults', stdout);
      }
      assert.deepEqual(readdirSync(project.dir), before);
    });

    it(`refuses an option that it does not have, in one sentence: ${name}`, async () => {
      const project = new Project(dir);
      const { code, stdout, stderr } = await project.run(name, ['--no-such=1']);
      assert.deepEqual([code, stdout], [64, '']);
      assert.match(stderr, /^holdline: there is no option --no-such: npm .*\n$/);
      assert.doesNotMatch(stderr.trim(), /\n/);
    });
  }
});

describe('a script names every option of its program, since it refuses others', () => {
  for (const name of ['backup', 'restore', 'import-session', 'passkey']) {
    it(name, async () => {
      const program = readFileSync(`src/${name}.ts`, 'utf8');
      const [, , usage = ''] = /const usage =\s*([`'])([\s\S]*?)\1;/.exec(program) ?? [];
      const options = new Set(usage.match(/(?<=[\s[])--[a-z][-a-z]*/g));
      assert.ok(options.size > 0);
      const { stdout } = await new Project(dir).run(name, ['--help']);
      for (const option of options) assert.ok(stdout.includes(option), `${option} of ${name}`);
    });
  }
});
