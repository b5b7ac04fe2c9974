import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { dieWithThisProcess } from '../support/die-with-this-process.js';

/** A server to compare with, in its own process. */
export interface Peer {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startPeer(name: string, ...args: string[]): Promise<Peer> {
  const program = fileURLToPath(new URL(`./peers/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  dieWithThisProcess(child, 'TERM');
  const exited = once(child, 'exit');
  const port = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^port (\d+)$/.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    });
    void exited.then(() => reject(new Error(`${name} ended before it listened`)));
  });
  return {
    url: `http://127.0.0.1:${await port}`,
    async stop() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
