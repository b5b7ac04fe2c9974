import type { MessagePort } from 'node:worker_threads';
import type { ConnectionTransport } from 'puppeteer';

/** Connects puppeteer to the browser through a message port. The supervisor holds the debugging pipe behind it. */
export class PortTransport implements ConnectionTransport {
  onmessage?: (message: string) => void;
  onclose?: () => void;
  readonly #port: MessagePort;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (message: string) => {
      this.onmessage?.(message);
      // Acknowledges the message: the supervisor pauses the browser while a reader is too far behind.
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
