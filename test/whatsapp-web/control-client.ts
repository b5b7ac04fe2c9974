import type { Controls } from './control.js';

/** The controls of a stand-in in another process. They have the same methods as in its own process. */
export function connectControls(controlUrl: string): Controls {
  const remote = (target: string) =>
    new Proxy(
      {},
      {
        get:
          (_, method) =>
          (...args: unknown[]) =>
            post(`${controlUrl}/${target}/${String(method)}`, args),
      },
    );
  return {
    phone: remote('phone'),
    faults: remote('faults'),
    timing: remote('timing'),
    directory: remote('directory'),
    page: remote('page'),
  } as Controls;
}

async function post(url: string, args: unknown[]): Promise<unknown> {
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(args) });
  const { result, error } = (await response.json()) as { result?: unknown; error?: string };
  if (error !== undefined) throw new Error(`${url}: ${error}`);
  return result;
}
