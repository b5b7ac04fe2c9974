import { z } from 'zod';
import { messageOf } from '../contract/errors.js';
import type { Config } from '../platform/config/config.js';
import { withDeadline } from '../platform/deadline.js';
import { requireUsableAddress } from '../platform/listen.js';
import { localUrl } from '../platform/own-urls.js';
import { type Check, failure, ok, type Verdict } from './check.js';

const answerMs = 2_000;

/** Whether HTTP can listen. A Holdline that runs there now is no failure: the doctor is asked then too. */
export function portChecks(config: Config): Check[] {
  if (config.role === 'supervisor' || config.port === 0) return [];
  return [{ name: 'port', run: () => portVerdict(config) }];
}

async function portVerdict({ host, port }: Config): Promise<Verdict> {
  try {
    await requireUsableAddress({ host, port });
    return ok(`${host}:${port} is free`);
  } catch (error) {
    const isServed = await answersAsHoldline(`${localUrl(host, port)}/livez`);
    return isServed ? ok(`a Holdline serves on ${host}:${port}`) : failure(messageOf(error));
  }
}

async function answersAsHoldline(url: string): Promise<boolean> {
  try {
    // The timer of AbortSignal.timeout would not keep this process alive until the answer.
    const response = await withDeadline(fetch(url), answerMs, url);
    const body = await withDeadline(response.json(), answerMs, url);
    return z.object({ ok: z.literal(true) }).safeParse(body).success;
  } catch {
    return false;
  }
}
