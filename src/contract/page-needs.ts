import { rows } from './operations.js';
import type { CapabilityName } from './page.js';

/**
 * The parts of WhatsApp Web's page that each capability uses, by name: `Module`, `Module.member` or `Module.member.inner`.
 * `|` separates the names that a part has had in different versions. Without one of `needs` the capability is broken;
 * without one of `helps` it is degraded. The self-test looks for them in the page, `npm run page-contract` in a list.
 */
export interface PageNeeds {
  readonly needs: readonly string[];
  readonly helps: readonly string[];
}

const chatById = ['WAWebCollections.Chat.get', 'WAWebWidFactory.createWid'];

const needsOfCapabilities: Readonly<Record<CapabilityName, PageNeeds>> = {
  qr: {
    needs: [
      'WAWebSocketModel.Socket',
      'WAWebConnModel.Conn',
      'WAWebCmd.Cmd',
      'WABase64.encodeB64',
      'WAWebCompanionRegClientUtils.DEVICE_PLATFORM',
      'WAWebUserPrefsInfoStore.waNoiseInfo',
      'WAWebSignalStoreApi.waSignalStore',
      'WAWebUserPrefsMultiDevice.getADVSecretKey',
    ],
    helps: ['WAWebLaunchSocketUtils.refreshQR|WAWebCmd.Cmd.refreshQR'],
  },
  pairing: {
    needs: [
      'WAWebAltDeviceLinkingApi.setPairingType',
      'WAWebAltDeviceLinkingApi.initializeAltDeviceLinking',
      'WAWebAltDeviceLinkingApi.startAltLinkingFlow',
    ],
    helps: ['WAWebAltDeviceLinkingApi.initializeQRLinking'],
  },
  send: {
    needs: [
      ...chatById,
      'WAWebMsgKey',
      'WAWebUserPrefsMeUser.getMaybeMePnUser',
      'WAWebUserPrefsMeUser.getMaybeMeLidUser',
      'WAWebFindChatAction.findOrCreateLatestChat',
      'WAWebSendMsgChatAction.addAndSendMsgToChat',
      'WAWebCollections.Msg.get',
      'WAWebCollections.Msg.getMessagesById',
    ],
    helps: [
      'WAWebQueryExistsJob.queryWidExists',
      'WAWebGetEphemeralFieldsMsgActionsUtils.getEphemeralFields',
      'WAWebUpdateUnreadChatAction.sendSeen',
      'WAWebStreamModel.Stream',
      'WALinkify.findLink',
      'WAWebLinkPreviewChatAction.getLinkPreview',
    ],
  },
  receive: {
    needs: ['WAWebCollections.Msg.on'],
    helps: ['WAWebNonMessageDataRequestPlaceholderMessageResendUtils.handlePlaceholderMsgsSeen'],
  },
  acks: { needs: ['WAWebCollections.Msg.on', 'WAWebCollections.Msg.get'], helps: [] },
  chats: {
    needs: ['WAWebCollections.Chat.getModelsArray'],
    helps: ['WAWebLidMigrationUtils.toPn'],
  },
  messages: {
    needs: [...chatById, 'WAWebFindChatAction.findOrCreateLatestChat'],
    helps: ['WAWebChatLoadMessages.loadEarlierMsgs', 'WAWebLidMigrationUtils.toPn'],
  },
  media: {
    needs: [
      'WAWebPrepRawMedia.prepRawMedia',
      'WAWebMediaOpaqueData',
      'WAWebMediaStorage.getOrCreateMediaObject',
      'WAWebMmsMediaTypes.msgToMediaType',
      'WAWebMediaMmsV4Upload.uploadMedia',
      'WAWebDownloadManager.downloadManager',
    ],
    helps: [],
  },
  logout: {
    needs: ['WAWebSocketModel.Socket.logout'],
    // Without it a logout cannot confirm that WhatsApp's server has got it.
    helps: ['WAWebUnpairDeviceJob.unpairDevice'],
  },
};

/**
 * The needs above, and as `helps` the page members that single operations use. Without such a member one operation does not
 * work, and its capability is degraded.
 */
export const pageNeeds = Object.fromEntries(
  Object.entries(needsOfCapabilities).map(([capability, { needs, helps }]) => {
    const members = rows.flatMap(([, row]) => (row.capability === capability ? (row.pageMembers ?? []) : []));
    return [capability, { needs, helps: [...helps, ...members] }];
  }),
) as unknown as Readonly<Record<CapabilityName, PageNeeds>>;
