// The modules of window.require, under WhatsApp Web's names. whatsapp-web.js assigns to some of these objects, so they must
// stay writable. Only what it uses is here.

import { browserModules } from './browser-info.js';
import { chatModules } from './chat-modules.js';
import { contactModules } from './contact-modules.js';
import { toBase64 } from './credentials.js';
import { linkingModules } from './linking-modules.js';
import { logoutModules } from './logout.js';
import { mediaModules } from './media-modules.js';
import { removeMembers } from './missing.js';
import { Collection } from './models.js';

/** `page` has all parts of the page. */
export function createModules(page) {
  const modules = {
    ...loginModules(page),
    ...linkingModules(page),
    ...browserModules(page.settings, () => modules),
    ...logoutModules(page.stream, () => modules),
    ...readyModules(page),
    ...chatModules(page),
    ...contactModules(page),
    ...mediaModules(),
  };
  removeMembers(modules, page.settings.missing);
  return modules;
}

/** What inject() uses, up to the QR code. */
function loginModules({ models, keys, linking }) {
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
    WAWebUserPrefsMultiDevice: { getADVSecretKey: () => linking.secret },
  };
}

/** What whatsapp-web.js uses between hasSynced and its `ready`. */
function readyModules({ models, settings }) {
  return {
    WAWebUserPrefsMeUser: {
      getMaybeMePnUser: () => models.me?.pn,
      getMaybeMeLidUser: () => models.me?.lid,
    },
    WAWebSyncGatingUtils: settings.placeholderGate ? { isPlaceholderMessageResendEnabled: () => false } : {},
    WAWebCallCollection: Object.assign(new Collection(), { calls: new Map() }),
    WAWebBackendJobsCommon: { mediaTypeFromProtobuf: () => null },
    WAWebE2EProtoUtils: { typeAttributeFromProtobuf: () => 'text' },
    WAWebAddonReactionTableMode: { reactionTableMode: { bulkUpsert: async () => {} } },
    WAWebAddonPollVoteTableMode: { pollVoteTableMode: { bulkUpsert: async () => {} } },
    WAWebNonMessageDataRequestPlaceholderMessageResendUtils: { handlePlaceholderMsgsSeen: () => {} },
  };
}
