import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends the child with this process. One that is killed, as the runner does to a test file that hangs, runs no
 * clean-up: its end closes the pipe that a watcher reads from.
 */
export function dieWithThisProcess(child: ChildProcess, signal: 'TERM' | 'KILL'): void {
  const watch = `while read -r _; do :; done; kill -${signal} "$0"`;
  const watcher = spawn('bash', ['-c', watch, String(child.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  child.once('exit', () => watcher.kill('SIGKILL'));
}
