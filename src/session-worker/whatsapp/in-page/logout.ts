import type { Foreign, PageAgent } from './agent.js';

export interface Logout {
  /**
   * Begins to unlink this device. What WhatsApp's server answers is told as `unlinked`, as soon as it has; the page leaves for
   * its goodbye address, told or not.
   */
  beginLogout(): Promise<void>;
}

export function logout(page: PageAgent): Logout {
  function tell(isTold: boolean): void {
    void page.tell({ type: 'unlinked', isTold });
  }

  /** The page makes nothing of the answer, so it is listened to where it comes in. */
  function listen(): void {
    const job = page.member('WAWebUnpairDeviceJob');
    const unpair = page.attempt(() => job.unpairDevice);
    if (typeof unpair !== 'function') return;
    job.unpairDevice = (...args: Foreign[]) => {
      const answer = Promise.resolve(unpair.apply(job, args));
      answer.then(
        (response: Foreign) => tell(page.attempt(() => response.status) === 200),
        () => tell(false),
      );
      return answer;
    };
  }

  return {
    async beginLogout() {
      listen();
      const begun = page.member('WAWebSocketModel.Socket').logout();
      // Pages until 2026 gave a promise, which settled when the server had answered.
      if (typeof page.attempt(() => begun.then) !== 'function') return;
      await begun;
      tell(true);
    },
  };
}
