import type { Capability, CapabilityName } from '../../contract/page.js';
import type { PageNeeds } from '../../contract/page-needs.js';
import type { Foreign, PageAgent } from './agent.js';

/** What was found of one capability; `lacks` says why it is not ok. */
export interface Finding {
  readonly capability: Capability;
  readonly lacks: readonly string[];
}

export type Findings = { readonly [Name in CapabilityName]: Finding };

export interface SelfTest {
  pageVersion(): string | null;
  /**
   * Looks for what each capability stands on, by name; with `isReady` it also makes a key, describes a chat and a message and
   * finds that message by its id. Sends nothing and changes nothing.
   */
  testPage(input: {
    needs: Readonly<Record<CapabilityName, PageNeeds>>;
    isReady: boolean;
  }): Promise<Findings>;
}

export function selfTest(page: PageAgent): SelfTest {
  const lookMs = 3_000;
  const sample = 5;
  type Trial = () => string | null | Promise<string | null>;

  function missing(paths: readonly string[]): string[] {
    return paths.filter((path) => page.anyMember(path) === undefined).map((path) => `${path} is missing`);
  }

  /** What a trial found wrong, in words; null: nothing. */
  async function tried(trial: Trial): Promise<string | null> {
    try {
      return await page.within(lookMs, 'the page', Promise.resolve(trial()));
    } catch (error) {
      return page.errorText(error).message;
    }
  }

  function sampleChats(): Foreign[] {
    const all = page.member('WAWebCollections.Chat').getModelsArray();
    return Array.isArray(all) ? all.slice(0, sample) : [];
  }

  /** Half of a sample may be odd: one that cannot be told costs itself, no more. */
  function isMostly(models: readonly Foreign[], isWell: (model: Foreign) => boolean): boolean {
    return models.length === 0 || models.filter(isWell).length * 2 >= models.length;
  }

  const makesKeys: Trial = () => {
    const to = page.widOf('10000000000@c.us');
    const key = page.ownKey({ id: to }, '3EB0000000000000000000');
    const text = page.keyText(key);
    if (text === null) return 'a key of a message has no text';
    const own = page.attempt(() => key.toString());
    if (own !== text) return 'the text of a key is not what the page makes of it';
    return text === 'true_10000000000@c.us_3EB0000000000000000000'
      ? null
      : `the text of a key has another form (${text})`;
  };

  const describesChats: Trial = () =>
    isMostly(sampleChats(), (chat) => page.describeChat(chat).id !== null) ? null : 'chats have no id';

  const describesMessages: Trial = async () => {
    const newest = sampleMessages();
    if (!isMostly(newest, (message) => page.describeMessage(message).id !== null))
      return 'messages have no id';
    const id = newest.map((message) => page.describeMessage(message).id).find((each) => each !== null);
    if (id === undefined) return null;
    return (await page.findMessage({ messageId: id })) === null ? 'a message is not found by its id' : null;
  };

  function sampleMessages(): Foreign[] {
    return sampleChats().flatMap((chat) => {
      const all = page.attempt(() => chat.msgs.getModelsArray());
      return Array.isArray(all) ? all.slice(-1) : [];
    });
  }

  const listens: Trial = () => (page.isListening() ? null : 'messages are not listened to');

  const trials: { readonly [Name in CapabilityName]?: readonly Trial[] } = {
    send: [makesKeys, describesMessages],
    receive: [listens, describesMessages],
    acks: [listens, makesKeys],
    chats: [describesChats],
    messages: [describesMessages],
  };

  return {
    pageVersion() {
      const version = page.attempt(() => page.window.Debug.VERSION);
      return typeof version === 'string' && version.length <= 64 ? version : null;
    },
    async testPage({ needs, isReady }) {
      const found: [string, Finding][] = [];
      for (const [name, { needs: needed, helps }] of Object.entries(needs)) {
        const broken = missing(needed);
        for (const trial of isReady && broken.length === 0 ? (trials[name as CapabilityName] ?? []) : []) {
          const problem = await tried(trial);
          if (problem !== null && !broken.includes(problem)) broken.push(problem);
        }
        const degraded = missing(helps);
        const capability = broken.length > 0 ? 'broken' : degraded.length > 0 ? 'degraded' : 'ok';
        found.push([name, { capability, lacks: broken.length > 0 ? broken : degraded }]);
      }
      return Object.fromEntries(found) as Findings;
    },
  };
}
