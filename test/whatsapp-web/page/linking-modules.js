// Linking by a code that is typed on the phone.

export function linkingModules(models, stream) {
  let pairingType = 'QR_CODE';
  let isInitialized = false;
  return {
    WAWebLaunchSocketUtils: { refreshQR: () => models.Cmd.refreshQR() },
    WAWebAltDeviceLinkingApi: {
      setPairingType: (type) => {
        pairingType = type;
      },
      initializeAltDeviceLinking: async () => {
        isInitialized = true;
      },
      startAltLinkingFlow: async (phone) => {
        if (pairingType !== 'ALT_DEVICE_LINKING' || !isInitialized) throw new Error('not initialized');
        return stream.ask({ kind: 'pairing-code', phone: String(phone) });
      },
      initializeQRLinking: async () => {
        pairingType = 'QR_CODE';
        isInitialized = false;
        await stream.ask({ kind: 'cancel-code' }, null);
      },
    },
  };
}
