// Modules for people, under WhatsApp Web's names.

import { Collection } from './models.js';

export const personCollections = (people) => ({
  Contact: people.Contact,
  Blocklist: new Collection(),
  BusinessProfile: new Collection(),
});

export function contactModules({ models, people }) {
  const isMe = ({ id }) => id.equals(models.me?.pn) || id.equals(models.me?.lid);
  return {
    WAWebLidMigrationUtils: {
      toPn: (wid) => people.toPn(wid),
      toLid: (wid) => people.toLid(wid),
      toUserLid: (wid) => people.toLid(wid),
    },
    WAWebApiContact: {
      getPhoneNumber: (wid) => people.getPhoneNumber(wid),
      getCurrentLid: (wid) => people.getCurrentLid(wid),
      getAlternateUserWid: (wid) => people.getAlternate(wid),
    },
    WAWebContactGetters: {
      getId: ({ id }) => id,
      getIsMe: isMe,
      getIsUser: ({ id }) => id.isUser(),
      getIsGroup: ({ id }) => id.isGroup(),
      getIsWAContact: () => true,
      getIsBusiness: () => false,
      getIsEnterprise: () => false,
      getUserid: ({ id }) => id.user,
      getName: ({ name }) => name,
      getShortName: ({ name }) => name,
      getPushname: ({ pushname }) => pushname,
      getNotifyName: ({ pushname }) => pushname,
      getVerifiedName: () => undefined,
      getVerifiedLevel: () => undefined,
      getStatusMute: () => false,
    },
    WAWebFrontendContactGetters: { getIsMyContact: ({ name }) => name !== undefined },
  };
}
