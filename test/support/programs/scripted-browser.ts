import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { readBrowserBehaviour } from '../scripted-processes.js';

/**
 * Plays Chromium to a supervisor, without real pages: `SCRIPT_DIR --user-data-dir=… …`. It answers on its debugging pipe,
 * and ends when the pipe closes or on SIGTERM.
 */
const [scriptDir = '', ...flags] = process.argv.slice(2);
const profileDir = flags
  .find((flag) => flag.startsWith('--user-data-dir='))
  ?.slice('--user-data-dir='.length);
const behaviour = readBrowserBehaviour(scriptDir);
if (behaviour === 'fails to start') {
  process.stderr.write('error while loading shared libraries: libnss3.so\n');
  process.exit(127);
}
if (behaviour === 'ignores SIGTERM') process.on('SIGTERM', () => undefined);
writeFileSync(join(profileDir ?? '', 'LastBrowser'), String(process.pid));
// A login of one file, which a backup can copy.
const loginDir = join(profileDir ?? '', 'Default', 'Local Storage', 'leveldb');
mkdirSync(loginDir, { recursive: true });
writeFileSync(join(loginDir, '000003.log'), 'a login');

let opened = 0;
const pages = new Map([['start', flags.at(-1)]]);

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: { readonly url?: string; readonly targetId?: string };
  readonly sessionId?: string;
}

function answer({ method, params }: Call): object {
  switch (method) {
    case 'Browser.getVersion':
      return { product: `Scripted/${process.pid}` };
    case 'Target.attachToBrowserTarget':
    case 'Target.attachToTarget':
      return { sessionId: randomBytes(16).toString('hex').toUpperCase() };
    case 'Target.createTarget': {
      const targetId = `page-${++opened}`;
      pages.set(targetId, params.url);
      return { targetId };
    }
    case 'Target.closeTarget':
      if (behaviour !== 'keeps its pages') pages.delete(params.targetId ?? '');
      return { success: true };
    case 'Target.getTargets':
      return { targetInfos: [...pages].map(([targetId, url]) => ({ targetId, type: 'page', url })) };
    default:
      return {};
  }
}

const input = new Socket({ fd: 3, readable: true, writable: false });
const output = new Socket({ fd: 4, readable: false, writable: true });
for (const pipe of [input, output]) pipe.on('error', () => process.exit(0));
input.on('close', () => process.exit(0));
let unread = '';
input.on('data', (chunk) => {
  const messages = `${unread}${chunk}`.split('\0');
  unread = messages.pop() ?? '';
  if (behaviour === 'never listens') return;
  for (const message of messages) {
    const call = JSON.parse(message) as Call;
    const { id, sessionId } = call;
    output.write(`${JSON.stringify({ id, result: answer(call), sessionId })}\0`);
  }
});
