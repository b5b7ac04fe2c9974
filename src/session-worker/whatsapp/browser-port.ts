import type { MessagePort } from 'node:worker_threads';
import type { ConnectionTransport } from 'puppeteer';

/** Puppeteer's way to a browser of which the supervisor holds the pipe. */
export class BrowserPort implements ConnectionTransport {
  onmessage?: (message: string) => void;
  onclose?: () => void;
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: string) => {
      this.onmessage?.(message);
      // The browser waits for whoever is too far behind.
      port.postMessage(message.length);
    });
    port.once('close', () => this.onclose?.());
  }

  send(message: string): void {
    this.#port.postMessage(message);
  }

  close(): void {
    this.#port.close();
  }
}
