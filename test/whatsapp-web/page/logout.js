// A logout at the page's request, and the steps after every logout.

import { clearStorage } from './storage.js';

export function logoutModules(stream, modules) {
  return {
    WAWebUnpairDeviceJob: {
      unpairDevice: async (reason) => {
        const { status } = await stream.ask({ kind: 'unpair', reason: String(reason) });
        return { status };
      },
    },
    WAWebSocketLogoutUtils: {
      /** Resolves for any status, and after an error too. */
      sendCurrentLogout: (reason) =>
        modules()
          .WAWebUnpairDeviceJob.unpairDevice(reason)
          .then(
            () => {},
            (error) => console.warn('the server was not told of the logout', error),
          ),
    },
  };
}

export function createLogout({ settings, models, stream, modules }) {
  const leave = async () => {
    if (settings.unsetsSyncAtLogout) models.Socket.hasSynced = undefined;
    models.Cmd.trigger('logout');
    await clearStorage();
    location.assign('/?post_logout=1&logout_reason=0');
  };

  /** Leaves after `logoutDeadlineMs`, even if the server has not answered by then. */
  const detached = (reason = 'user_initiated') => {
    const unpaired = stream
      .ask({ kind: 'sentinel' })
      .then(() => modules().WAWebSocketLogoutUtils.sendCurrentLogout(reason))
      .catch(reportError);
    void Promise.race([
      unpaired,
      new Promise((resolve) => setTimeout(resolve, settings.logoutDeadlineMs)),
    ]).then(leave);
  };

  /** Resolves when the server has forgotten the device. The page leaves a moment later. */
  const awaited = async (reason = 'user_initiated') => {
    if (!stream.isOpen) throw new Error('not connected');
    const { status } = await modules().WAWebUnpairDeviceJob.unpairDevice(reason);
    if (status !== 200) throw new Error(`the server refused the logout: ${status}`);
    await clearStorage();
    setTimeout(() => void leave(), stream.navigationMs);
  };

  return { leave, logout: settings.logout === 'detached' ? detached : awaited };
}
