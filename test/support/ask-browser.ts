import { once } from 'node:events';
import type { MessagePort } from 'node:worker_threads';

let lastId = 0;

/** Sends one command to a browser and waits for its answer. No other message may arrive on the port meanwhile. */
export async function ask<Result = Record<string, unknown>>(
  port: MessagePort,
  method: string,
  params: object = {},
): Promise<Result> {
  const id = ++lastId;
  port.postMessage(JSON.stringify({ id, method, params }));
  const [message] = (await once(port, 'message')) as [string];
  const answer = JSON.parse(message) as { id: number; result: Result };
  if (answer.id !== id) throw new Error(`not the answer to ${method}: ${message}`);
  return answer.result;
}
