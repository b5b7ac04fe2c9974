// Modules for linking by a code that is typed on the phone, and for new QR codes.

export function linkingModules({ settings, models, stream, linking }) {
  let isInitialized = false;
  if (settings.refreshQr === 'cmd') models.Cmd.refreshQR = () => stream.refreshQr();
  return {
    WAWebLaunchSocketUtils: {
      refreshQR: () => (settings.refreshQr === 'cmd' ? models.Cmd.refreshQR() : stream.refreshQr()),
    },
    WAWebLinkDeviceEvents: { WAWebLinkDeviceEvents: linking.events },
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
