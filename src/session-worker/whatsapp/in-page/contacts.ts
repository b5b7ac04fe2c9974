import type { Person } from '../../../contract/whatsapp.js';
import type { Ids } from './ids.js';
import type { Foreign, PageAccess } from './page-access.js';

export interface Contacts {
  /** null: it is not the id of a person. */
  personOf(wid: Foreign): Person | null;
  /** The id of the account itself: its hidden id (`@lid`) if `isLid`, else its number. */
  ownWid(isLid: boolean): Foreign;
}

export function contacts(page: PageAccess & Ids): Contacts {
  const maxNameLength = 256;

  function name(value: Foreign): string | null {
    return typeof value === 'string' && value.trim() !== '' ? value.slice(0, maxNameLength) : null;
  }

  function digits(wid: Foreign): string | null {
    const [user = ''] = (page.widText(wid) ?? '').split(/[@:]/);
    return /^\d{5,20}$/.test(user) ? user : null;
  }

  function ownWid(isLid: boolean): Foreign {
    const [lid, phone] = ['getMaybeMeLidUser', 'getMaybeMePnUser'].map((getter) =>
      page.attempt(() => page.member(`WAWebUserPrefsMeUser.${getter}`)()),
    );
    return isLid ? (lid ?? phone) : (phone ?? lid);
  }

  /** The page keeps no mapping between the account's own two ids. */
  function otherOwnWid(id: string, isLid: boolean): Foreign {
    return page.widText(ownWid(isLid)) === id ? ownWid(!isLid) : undefined;
  }

  function phoneOf(wid: Foreign, id: string, contact: Foreign): string | null {
    const translated =
      page.attempt(() => page.member('WAWebLidMigrationUtils.toPn')(wid)) ??
      page.attempt(() => page.member('WAWebApiContact.getPhoneNumber')(wid)) ??
      page.attempt(() => contact.phoneNumber) ??
      otherOwnWid(id, true);
    return page.widText(translated)?.endsWith('@lid') === true ? null : digits(translated);
  }

  function lidOf(wid: Foreign, id: string): string | null {
    const translated =
      page.attempt(() => page.member('WAWebLidMigrationUtils.toLid')(wid)) ??
      page.attempt(() => page.member('WAWebApiContact.getCurrentLid')(wid)) ??
      otherOwnWid(id, false);
    const text = page.widText(translated);
    return text?.endsWith('@lid') === true ? text : null;
  }

  return {
    personOf(given) {
      const id = page.widText(given);
      if (id === null || !page.isPersonId(id)) return null;
      const wid = typeof given === 'string' ? page.attempt(() => page.widOf(id)) : given;
      const contact = page.attempt(() => page.member('WAWebCollections.Contact').get(wid));
      const isLid = id.endsWith('@lid');
      return {
        id,
        phone: isLid ? phoneOf(wid, id, contact) : digits(id),
        lid: isLid ? id : lidOf(wid, id),
        name:
          name(page.attempt(() => contact.name)) ??
          name(page.attempt(() => contact.verifiedName)) ??
          name(page.attempt(() => contact.pushname)) ??
          name(page.attempt(() => contact.notifyName)),
      };
    },
    ownWid,
  };
}
