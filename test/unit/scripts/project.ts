import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../../..');

/** The command of each script of package.json, by its name. */
export const commands = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as Record<
  string,
  string
>;

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A copy of the project that has its scripts, but neither sources nor packages. */
export class Project {
  readonly dir: string;

  constructor(parent: string) {
    this.dir = mkdtempSync(join(parent, 'project-'));
    for (const part of ['package.json', 'scripts', 'test/docker']) {
      cpSync(join(root, part), join(this.dir, part), { recursive: true });
    }
  }

  write(file: string, text: string, mode = 0o644): void {
    const path = join(this.dir, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
  }

  /** Adds programs that only print their environment, and a compiler that has nothing to do. */
  withPrograms(...names: readonly string[]): this {
    this.write('package-lock.json', '{}');
    this.write('tsconfig.json', '{}');
    this.write('src/main.ts', '');
    this.write('node_modules/.bin/tsc', '#!/bin/sh\n', 0o755);
    this.write('node_modules/.package-lock.json', '{}');
    for (const name of names) {
      this.write(`${name}.ts`, '');
      this.write(`dist/${name}.js`, 'console.log(JSON.stringify(process.env))');
    }
    return this;
  }

  /** As npm runs a script: in the project, by sh, with the arguments added. */
  run(name: string, args: readonly string[], environment: Record<string, string> = {}): Promise<Result> {
    return this.runCommand(commands[name] ?? '', args, environment);
  }

  /** In the project, by sh, with the arguments added. */
  runCommand(
    command: string,
    args: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<Result> {
    const env = { PATH: process.env.PATH, HOME: this.dir, ...environment };
    return new Promise((settle) => {
      const words = ['-c', `${command} "$@"`, 'sh', ...args];
      execFile('sh', words, { cwd: this.dir, env, timeout: 60_000 }, (error, stdout, stderr) => {
        settle({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  }
}
