import type { NodeChannel } from './node-channel.js';
import type { Foreign, PageAccess } from './page-access.js';

export interface Logout {
  /**
   * Begins to unlink this device. Sends `unlinked` to Node when WhatsApp's server has answered. The page navigates to its
   * logged-out address even without an answer.
   */
  beginLogout(): Promise<void>;
}

export function logout(page: PageAccess & NodeChannel): Logout {
  function report(isConfirmed: boolean): void {
    void page.notifyNode({ type: 'unlinked', isConfirmed });
  }

  /** The page ignores the server's answer, so the function that receives it is wrapped. */
  function watchAnswer(): void {
    const job = page.member('WAWebUnpairDeviceJob');
    const unpair = page.attempt(() => job.unpairDevice);
    if (typeof unpair !== 'function') return;
    job.unpairDevice = (...args: Foreign[]) => {
      const answer = Promise.resolve(unpair.apply(job, args));
      answer.then(
        (response: Foreign) => report(page.attempt(() => response.status) === 200),
        () => report(false),
      );
      return answer;
    };
  }

  return {
    async beginLogout() {
      watchAnswer();
      const begun = page.member('WAWebSocketModel.Socket').logout();
      // Pages until 2026 return a promise that settles when the server has answered.
      if (typeof page.attempt(() => begun.then) !== 'function') return;
      await begun;
      report(true);
    },
  };
}
