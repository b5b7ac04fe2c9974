import type { Foreign, PageAgent } from './agent.js';

export interface RepairResult {
  readonly name: string;
  readonly result: 'not-needed' | 'applied' | 'failed';
  /** Why it failed. */
  readonly reason: string | null;
}

export interface Repairs {
  /** Gives the page back what the library needs and WhatsApp has taken away; once for each page. */
  repairPage(): RepairResult[];
}

/** Each repair looks whether it is needed, repairs, and looks again; a page that needs none is left alone. */
export function repairs(page: PageAgent): Repairs {
  interface Repair {
    readonly name: string;
    /** false: this page has not got far enough to tell, or has nothing to repair. */
    readonly isNeeded: () => boolean;
    readonly repair: () => void;
  }

  /** Which field of a key its text comes from. A key itself cannot be made before somebody is logged in. */
  function fieldOfText(prototype: Foreign): string | null {
    const read: string[] = [];
    const anything = new Proxy({}, { get: (_, name) => read.push(String(name)) && '' });
    page.attempt(() => prototype.toString.call(anything));
    return read[0] ?? null;
  }

  /** Since July 2026 a message's key keeps its text in another field than the library reads. */
  const messageKey: Repair = {
    name: 'message-key',
    isNeeded: () => {
      const prototype = page.member('WAWebMsgKey')?.prototype;
      if (prototype === undefined) return false;
      return fieldOfText(prototype) !== '_serialized' && !('_serialized' in prototype);
    },
    repair: () => {
      Object.defineProperty(page.member('WAWebMsgKey').prototype, '_serialized', {
        configurable: true,
        get(this: Foreign) {
          const text = page.attempt(() => this.toString());
          return typeof text === 'string' && !text.startsWith('[object') ? text : undefined;
        },
        // A class that goes back to a field of its own is not kept from it.
        set(this: Foreign, value: Foreign) {
          Object.defineProperty(this, '_serialized', {
            value,
            writable: true,
            enumerable: true,
            configurable: true,
          });
        },
      });
    },
  };

  /** Since February 2026 another module asks for fresh codes. */
  const refreshQr: Repair = {
    name: 'refresh-qr',
    isNeeded: () => {
      const command = page.member('WAWebCmd.Cmd');
      return (
        command !== undefined &&
        page.attempt(() => typeof command.refreshQR) !== 'function' &&
        typeof page.member('WAWebLaunchSocketUtils.refreshQR') === 'function'
      );
    },
    repair: () => {
      page.member('WAWebCmd.Cmd').refreshQR = () => page.member('WAWebLaunchSocketUtils.refreshQR')();
    },
  };

  const results = new Map<string, RepairResult>();

  function carryOut({ name, isNeeded, repair }: Repair): RepairResult {
    try {
      if (!isNeeded()) return { name, result: 'not-needed', reason: null };
      repair();
      return isNeeded()
        ? { name, result: 'failed', reason: 'the page is as it was before' }
        : { name, result: 'applied', reason: null };
    } catch (error) {
      return { name, result: 'failed', reason: page.errorText(error).message };
    }
  }

  return {
    repairPage() {
      for (const each of [messageKey, refreshQr]) {
        if (!results.has(each.name)) results.set(each.name, carryOut(each));
      }
      return [...results.values()];
    },
  };
}
