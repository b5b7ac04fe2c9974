import type { Foreign, PageAccess } from './page-access.js';

export interface RepairResult {
  readonly name: string;
  readonly result: 'not-needed' | 'applied' | 'failed';
  /** Why it failed. */
  readonly reason: string | null;
}

export interface Repairs {
  /** Restores what the library needs and WhatsApp has removed. Each repair runs once per page. */
  repairPage(): RepairResult[];
}

/** Each repair checks whether it is needed, repairs, and checks again. A page that needs none is not changed. */
export function repairs(page: PageAccess): Repairs {
  interface Repair {
    readonly name: string;
    /** false: there is nothing to repair, or the page has not loaded the module yet. */
    readonly isNeeded: () => boolean;
    readonly repair: () => void;
  }

  /** The field from which a key's `toString` reads. A real key cannot be made before the login. */
  function fieldOfText(prototype: Foreign): string | null {
    const read: string[] = [];
    const recorder = new Proxy({}, { get: (_, name) => read.push(String(name)) && '' });
    page.attempt(() => prototype.toString.call(recorder));
    return read[0] ?? null;
  }

  /** Since July 2026 a message's key has its text in another field than the one the library reads. */
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
        // The class may set a field of that name again.
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

  /** Since February 2026 the function that requests fresh QR codes is in another module. */
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

  function run({ name, isNeeded, repair }: Repair): RepairResult {
    try {
      if (!isNeeded()) return { name, result: 'not-needed', reason: null };
      repair();
      return isNeeded()
        ? { name, result: 'failed', reason: 'the page did not change' }
        : { name, result: 'applied', reason: null };
    } catch (error) {
      return { name, result: 'failed', reason: page.errorText(error).message };
    }
  }

  return {
    repairPage() {
      for (const each of [messageKey, refreshQr]) {
        if (!results.has(each.name)) results.set(each.name, run(each));
      }
      return [...results.values()];
    },
  };
}
