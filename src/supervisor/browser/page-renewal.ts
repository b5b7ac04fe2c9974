import { preparedPage } from '../../contract/names.js';
import { pause } from '../../platform/deadline.js';
import type { DebuggingPipe } from './debugging-pipe.js';

/**
 * Closes every page that an earlier thread left, so that the account never has two, and opens an empty one for the next
 * thread. False: the browser or a page did not answer within `deadlineMs`, and another browser must be used.
 */
export async function renewPages(pipe: DebuggingPipe, deadlineMs: number): Promise<boolean> {
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const leftovers = await pagesOf(pipe, signal);
    await Promise.all(leftovers.map((page) => untilClosable(pipe, page, signal)));
    // Before the others are closed: a browser without any page may exit.
    await pipe.command('Target.createTarget', { url: preparedPage }, signal);
    const close = (targetId: string) => pipe.command('Target.closeTarget', { targetId }, signal);
    await Promise.all(leftovers.map(close));
    while (!signal.aborted) {
      const pages = await pagesOf(pipe, signal);
      if (!leftovers.some((page) => pages.includes(page))) return true;
      await pause(10, signal);
    }
    return false;
  } catch {
    return false;
  }
}

/** The target ids of all pages. */
async function pagesOf(pipe: DebuggingPipe, signal: AbortSignal): Promise<string[]> {
  const { targetInfos } = await pipe.command('Target.getTargets', {}, signal);
  const targets = targetInfos as { targetId: string; type: string }[];
  return targets.filter(({ type }) => type === 'page').map(({ targetId }) => targetId);
}

/**
 * Resolves when the page answers or has crashed: from then on, closing the page really ends it. A page that hangs survives its
 * closing, with its connection to WhatsApp, and Chromium may give its process to the next page of the site.
 */
async function untilClosable(pipe: DebuggingPipe, targetId: string, signal: AbortSignal): Promise<void> {
  const { sessionId } = await pipe.command('Target.attachToTarget', { targetId, flatten: true }, signal);
  const ask = (method: string, params: object) => pipe.command(method, params, signal, String(sessionId));
  await Promise.all([ask('Inspector.enable', {}), ask('Runtime.evaluate', { expression: '0' })]).catch(() =>
    signal.throwIfAborted(),
  );
}
