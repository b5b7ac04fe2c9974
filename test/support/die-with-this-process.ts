import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Ends the child when this process ends. A killed process runs no clean-up, and the runner kills a test file that hangs.
 * So a watcher reads from a pipe, which closes with this process, and then signals the child.
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
