// Modules for linking by a code that is typed on the phone or by a passkey, and for new QR codes.

import { STAGES } from './passkey.js';

export function linkingModules({ settings, models, stream, linking, passkey }) {
  let isInitialized = false;
  if (settings.refreshQr === 'cmd') models.Cmd.refreshQR = () => stream.refreshQr();
  return {
    WAWebLaunchSocketUtils: {
      refreshQR: () => (settings.refreshQr === 'cmd' ? models.Cmd.refreshQR() : stream.refreshQr()),
    },
    WAWebLinkDeviceEvents: { WAWebLinkDeviceEvents: linking.events },
    WAWebShortcakeLinkingAction: {
      startShortcakePasskeyPairing: () => passkey.start(),
      confirmShortcakeVerificationCode: () => passkey.confirm(),
      cancelShortcakePasskeyPairing: () => passkey.cancel(),
    },
    WAWebShortcakeLinkingApi: {
      ShortcakeLinkingStage: STAGES,
      getShortcakeLinkingStage: () => passkey.stage,
      getVerificationCode: () => passkey.code,
    },
    WAWebAltDeviceLinkingApi: {
      getPairingType: () => linking.pairingType,
      setPairingType: (type) => {
        linking.pairingType = type;
      },
      initializeAltDeviceLinking: async () => {
        if (settings.codeTakesSecret) linking.clearSecret();
        linking.pairingType = 'ALT_DEVICE_LINKING';
        isInitialized = true;
      },
      startAltLinkingFlow: async (phone) => {
        if (linking.pairingType !== 'ALT_DEVICE_LINKING' || !isInitialized)
          throw new Error('not initialized');
        return stream.ask({ kind: 'pairing-code', phone: String(phone) });
      },
      initializeQRLinking: async () => {
        if (settings.codeTakesSecret) linking.makeSecret();
        linking.pairingType = 'QR_CODE';
        isInitialized = false;
        await stream.ask({ kind: 'cancel-code' }, null);
      },
    },
  };
}
