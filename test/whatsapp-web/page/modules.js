// What window.require gives out, by the names of WhatsApp Web's modules. whatsapp-web.js assigns to some of
// these objects, so they must stay writable. Only what it touches is here.

import { chatModules } from './chat-modules.js';
import { toBase64 } from './credentials.js';
import { linkingModules } from './linking-modules.js';
import { Collection } from './models.js';

export function createModules({ models, keys, stream, chats, outbox }) {
  return {
    ...loginModules(models, keys),
    ...linkingModules(models, stream),
    ...readyModules(models),
    ...chatModules({ chats, outbox, stream }),
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
  };
}

/** What whatsapp-web.js touches between hasSynced and its `ready`. */
function readyModules(models) {
  return {
    WAWebUserPrefsMeUser: {
      getMaybeMePnUser: () => models.me?.pn,
      getMaybeMeLidUser: () => models.me?.lid,
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
