// What window.require gives out, by the names of WhatsApp Web's modules. whatsapp-web.js assigns to some of
// these objects, so they must stay writable. Only what it touches is here.

import { toBase64 } from './credentials.js';
import { Collection } from './models.js';
import { createWid } from './wid.js';

export function createModules(models, keys) {
  return {
    ...loginModules(models, keys),
    ...linkingByCodeModules(models),
    ...readyModules(models),
    ...chatModules(),
  };
}

/** What inject() asks for, up to the QR code. */
function loginModules(models, keys) {
  const { Socket, Conn, Cmd, Offline } = models;
  return {
    WAWebSocketModel: { Socket },
    WAWebConnModel: { Conn },
    WAWebCmd: { Cmd },
    WAWebOfflineHandler: { OfflineMessageHandler: { getOfflineDeliveryProgress: () => Offline.percent } },
    WABase64: { encodeB64: toBase64 },
    WAWebCompanionRegClientUtils: { DEVICE_PLATFORM: models.platform },
    WAWebAdvSignatureApi: {},
    WAWebUserPrefsInfoStore: {
      waNoiseInfo: { get: async () => ({ staticKeyPair: { pubKey: keys.noise } }) },
    },
    WAWebSignalStoreApi: {
      waSignalStore: { getRegistrationInfo: async () => ({ identityKeyPair: { pubKey: keys.identity } }) },
    },
    WAWebUserPrefsMultiDevice: { getADVSecretKey: () => keys.adv },
    WAWebMiscBrowserUtils: { info: () => ({ os: 'Linux', name: 'Chrome' }) },
    WAWebLaunchSocketUtils: { refreshQR: () => Cmd.refreshQR() },
  };
}

/** Linking by a code typed on the phone is not stood in for yet. */
function linkingByCodeModules() {
  return {
    WAWebAltDeviceLinkingApi: {
      setPairingType: () => {},
      initializeAltDeviceLinking: async () => {},
      initializeQRLinking: async () => {},
      startAltLinkingFlow: async () => {
        throw new Error('this stand-in does not link by code yet');
      },
    },
  };
}

/** What whatsapp-web.js touches between hasSynced and its `ready`. */
function readyModules(models) {
  return {
    WAWebUserPrefsMeUser: {
      getMaybeMePnUser: () => models.me?.pn,
      getMaybeMeLidUser: () => models.me?.lid,
    },
    WAWebCollections: {
      Msg: new Collection(),
      Chat: new Collection(),
      Contact: new Collection(),
      GroupMetadata: new Collection(),
    },
    WAWebSyncGatingUtils: { isPlaceholderMessageResendEnabled: () => false },
    WAWebCallCollection: Object.assign(new Collection(), { calls: new Map() }),
    WAWebBackendJobsCommon: { mediaTypeFromProtobuf: () => null },
    WAWebE2EProtoUtils: { typeAttributeFromProtobuf: () => 'text' },
    WAWebAddonReactionTableMode: { reactionTableMode: { bulkUpsert: async () => {} } },
    WAWebAddonPollVoteTableMode: { pollVoteTableMode: { bulkUpsert: async () => {} } },
    WAWebNonMessageDataRequestPlaceholderMessageResendUtils: { handlePlaceholderMsgsSeen: () => {} },
  };
}

function chatModules() {
  return {
    WAWebWidFactory: { createWid, asUserWidOrThrow: createWid },
    WALinkify: { findLinks: () => [], findLink: () => null },
  };
}
