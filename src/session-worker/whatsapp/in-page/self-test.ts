import type { Capability, CapabilityName } from '../../../contract/page.js';
import type { PageNeeds } from '../../../contract/page-needs.js';
import type { Foreign, PageAgent } from './agent.js';
import type { RepairResult } from './repairs.js';

/** What was found of one capability; `lacks` says why it is not ok. */
export interface Finding {
  readonly capability: Capability;
  readonly lacks: readonly string[];
}

/** Of the capabilities that were looked at. */
export type Findings = { readonly [Name in CapabilityName]?: Finding };

type Needs = { readonly [Name in CapabilityName]?: PageNeeds };

/** What was found when a page was looked at. */
export interface PageExamination {
  readonly version: string | null;
  readonly repairs: readonly RepairResult[];
  readonly findings: Findings;
}

export interface SelfTest {
  /** Readies a page that has loaded its scripts: gives it its name and its repairs, and looks at it by name. */
  setUp(input: { needs: Needs; deviceName: string }): Promise<PageExamination>;
  /**
   * Listens to a page that has synced, and looks at it: makes a key, describes chats and messages, and finds a message by its
   * id. Sends nothing.
   */
  begin(input: { needs: Needs }): Promise<PageExamination>;
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
    const all = page.attempt(() => page.member('WAWebCollections.Chat').getModelsArray());
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

  function version(): string | null {
    const said = page.attempt(() => page.window.Debug.VERSION);
    return typeof said === 'string' && said.length <= 64 ? said : null;
  }

  /** By name; with `isTried` by trial as well. */
  async function test(needs: Needs, isTried: boolean): Promise<Findings> {
    const found: [string, Finding][] = [];
    for (const [name, { needs: needed, helps }] of Object.entries(needs)) {
      const broken = missing(needed);
      for (const trial of isTried && broken.length === 0 ? (trials[name as CapabilityName] ?? []) : []) {
        const problem = await tried(trial);
        if (problem !== null && !broken.includes(problem)) broken.push(problem);
      }
      const degraded = missing(helps);
      const capability = broken.length > 0 ? 'broken' : degraded.length > 0 ? 'degraded' : 'ok';
      found.push([name, { capability, lacks: broken.length > 0 ? broken : degraded }]);
    }
    return Object.fromEntries(found) as Findings;
  }

  return {
    async setUp({ needs, deviceName }) {
      // First of all: the page is about to introduce itself.
      page.attempt(() => page.nameDevice({ name: deviceName }));
      page.attempt(() => page.watchForPasskey());
      return { repairs: page.repairPage(), version: version(), findings: await test(needs, false) };
    },
    async begin({ needs }) {
      // What keeps it from listening, the test says.
      page.attempt(() => page.listen());
      return { repairs: page.repairPage(), version: version(), findings: await test(needs, true) };
    },
  };
}
