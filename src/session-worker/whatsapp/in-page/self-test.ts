import type { Capability, CapabilityName } from '../../../contract/page.js';
import type { PageNeeds } from '../../../contract/page-needs.js';
import type { Ignore } from '../../../contract/session-record.js';
import type { ChatListener } from './chat-listener.js';
import type { Descriptions } from './descriptions.js';
import type { Ids } from './ids.js';
import type { Linking } from './linking.js';
import type { Foreign, PageAccess } from './page-access.js';
import type { Passkey } from './passkey.js';
import type { PasskeyRelay } from './passkey-relay.js';
import type { RepairResult, Repairs } from './repairs.js';
import type { Sending } from './sending.js';

/** The result for one capability; `lacks` says why it is not `ok`. */
export interface CapabilityFinding {
  readonly capability: Capability;
  readonly lacks: readonly string[];
}

/** For the capabilities that were tested. */
export type Findings = { readonly [Name in CapabilityName]?: CapabilityFinding };

type Needs = { readonly [Name in CapabilityName]?: PageNeeds };

/** The result of one self-test. */
export interface PageExamination {
  readonly version: string | null;
  readonly repairs: readonly RepairResult[];
  readonly findings: Findings;
}

export interface SelfTest {
  /**
   * Prepares a page that has loaded its scripts: sets the device name, applies the repairs, and checks that the page has
   * everything in `needs`. With `relaysPasskey`, Node answers the page's requests for a passkey.
   */
  setUpLoadedPage(input: {
    needs: Needs;
    deviceName: string;
    relaysPasskey: boolean;
  }): Promise<PageExamination>;
  /**
   * Listens to a page that has synced, without the messages that are ignored, and tests it: checks `needs` again, makes a key, describes chats and messages, and
   * finds a message by its id. Sends nothing.
   */
  setUpSyncedPage(input: { needs: Needs; ignore: Ignore }): Promise<PageExamination>;
}

export function selfTest(
  page: PageAccess & Ids & Descriptions & Repairs & Linking & Passkey & PasskeyRelay & ChatListener & Sending,
): SelfTest {
  const trialMs = 3_000;
  const sampleSize = 5;
  /** Resolves to what is wrong; null: nothing. */
  type Trial = () => string | null | Promise<string | null>;

  function missing(paths: readonly string[]): string[] {
    return paths.filter((path) => page.anyMember(path) === undefined).map((path) => `${path} is missing`);
  }

  async function problemOf(trial: Trial): Promise<string | null> {
    try {
      return await page.within(trialMs, 'the page', Promise.resolve(trial()));
    } catch (error) {
      return page.errorText(error).message;
    }
  }

  function sampleChats(): Foreign[] {
    const all = page.attempt(() => page.member('WAWebCollections.Chat').getModelsArray());
    return Array.isArray(all) ? all.slice(0, sampleSize) : [];
  }

  /** Whether at least half of the sample is ok: a single unusual model does not make a capability broken. */
  function holdsForHalf(models: readonly Foreign[], isOk: (model: Foreign) => boolean): boolean {
    return models.length === 0 || models.filter(isOk).length * 2 >= models.length;
  }

  const makesKeys: Trial = () => {
    const to = page.widOf('10000000000@c.us');
    const key = page.ownKey({ id: to }, '3EB0000000000000000000');
    const text = page.keyText(key);
    if (text === null) return 'a key of a message has no text';
    const string = page.attempt(() => key.toString());
    if (string !== text) return 'the text of a key is not what its toString returns';
    return text === 'true_10000000000@c.us_3EB0000000000000000000'
      ? null
      : `the text of a key has another form (${text})`;
  };

  const describesChats: Trial = () =>
    holdsForHalf(sampleChats(), (chat) => page.describeChat(chat).id !== null) ? null : 'chats have no id';

  const describesMessages: Trial = async () => {
    const sample = sampleMessages();
    if (!holdsForHalf(sample, (message) => page.describeMessage(message).id !== null))
      return 'messages have no id';
    const id = sample.map((message) => page.describeMessage(message).id).find((each) => each !== null);
    if (id === undefined) return null;
    return (await page.findMessage({ messageId: id })) === null ? 'a message is not found by its id' : null;
  };

  function sampleMessages(): Foreign[] {
    return sampleChats().flatMap((chat) => {
      const all = page.attempt(() => chat.msgs.getModelsArray());
      return Array.isArray(all) ? all.slice(-1) : [];
    });
  }

  const listens: Trial = () => (page.isListening() ? null : 'the listener for messages is not attached');

  const trials: { readonly [Name in CapabilityName]?: readonly Trial[] } = {
    send: [makesKeys, describesMessages],
    receive: [listens, describesMessages],
    acks: [listens, makesKeys],
    chats: [describesChats],
    messages: [describesMessages],
  };

  function version(): string | null {
    const value = page.attempt(() => page.window.Debug.VERSION);
    return typeof value === 'string' && value.length <= 64 ? value : null;
  }

  /** Checks `needs` by name. With `withTrials` it also runs the trials. */
  async function test(needs: Needs, withTrials: boolean): Promise<Findings> {
    const found: [string, CapabilityFinding][] = [];
    for (const [name, { needs: needed, helps }] of Object.entries(needs)) {
      const broken = missing(needed);
      for (const trial of withTrials && broken.length === 0 ? (trials[name as CapabilityName] ?? []) : []) {
        const problem = await problemOf(trial);
        if (problem !== null && !broken.includes(problem)) broken.push(problem);
      }
      const degraded = missing(helps);
      const capability = broken.length > 0 ? 'broken' : degraded.length > 0 ? 'degraded' : 'ok';
      found.push([name, { capability, lacks: broken.length > 0 ? broken : degraded }]);
    }
    return Object.fromEntries(found) as Findings;
  }

  return {
    async setUpLoadedPage({ needs, deviceName, relaysPasskey }) {
      // First: the page registers this device soon.
      page.attempt(() => page.nameDevice({ name: deviceName }));
      page.attempt(() => page.watchForPasskey());
      if (relaysPasskey) page.attempt(() => page.relayPasskey());
      return { repairs: page.repairPage(), version: version(), findings: await test(needs, false) };
    },
    async setUpSyncedPage({ needs, ignore }) {
      // A failure shows in the self-test.
      page.attempt(() => page.listen({ ignore }));
      return { repairs: page.repairPage(), version: version(), findings: await test(needs, true) };
    },
  };
}
