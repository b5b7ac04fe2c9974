// A logout that the page asks for, and what comes after every logout.

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
      /** Other statuses than 200 count as told, and so do errors. */
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

  /** The server is told if there is time for the first step and its answer together. */
  const detached = (reason = 'user_initiated') => {
    const told = stream
      .ask({ kind: 'sentinel' })
      .then(() => modules().WAWebSocketLogoutUtils.sendCurrentLogout(reason))
      .catch(reportError);
    void Promise.race([told, new Promise((resolve) => setTimeout(resolve, settings.logoutDeadlineMs))]).then(
      leave,
    );
  };

  /** Resolves when the server has forgotten the device; the page goes away a moment later. */
  const awaited = async (reason = 'user_initiated') => {
    if (!stream.isOpen) throw new Error('not connected');
    const { status } = await modules().WAWebUnpairDeviceJob.unpairDevice(reason);
    if (status !== 200) throw new Error(`the server refused the logout: ${status}`);
    await clearStorage();
    setTimeout(() => void leave(), stream.navigationMs);
  };

  return { leave, logout: settings.logout === 'detached' ? detached : awaited };
}
