import type { AgentAnswer, AgentFunction, Foreign, PageAgent } from './agent.js';

export interface Base {
  readonly window: Foreign;
  /** A module of the page, or a member of one by its path; undefined where there is none. */
  member(path: string): Foreign;
  /** The same; throws `PageLacks` where there is none. */
  need(path: string): Foreign;
  /** The first of several that the page has. */
  anyMember(paths: string): Foreign;
  /** What `read` gives; undefined where it throws. */
  attempt<T>(read: () => T): T | undefined;
  /** Rejects when it is not settled after so many ms; `what` is the one that did not answer. */
  within<T>(ms: number, what: string, work: Promise<T> | T): Promise<T>;
  /** The same for what can be done without: undefined instead of a rejection. */
  atMost<T>(ms: number, work: () => Promise<T> | T): Promise<T | undefined>;
  /** One after another, the page's own errors as data. */
  answer(name: AgentFunction, input: unknown): Promise<AgentAnswer>;
  /** A thrown value in words: the page's classes have names of one letter, and say what they mean in properties. */
  errorText(thrown: Foreign): { readonly name: string; readonly message: string };
}

export function base(page: PageAgent): Base {
  const longestText = 300;
  const kinds: Foreign = { PageDeadline: 'silent', PageLacks: 'lacking' };

  function named(name: string, message: string): Error {
    const error = new Error(message);
    error.name = name;
    return error;
  }

  function member(path: string): Foreign {
    const [module = '', ...rest] = path.split('.');
    return rest.reduce<Foreign>(
      (value, name) => attempt(() => value?.[name]),
      attempt(() => page.window.require(module)),
    );
  }

  function attempt<T>(read: () => T): T | undefined {
    try {
      return read();
    } catch {
      return undefined;
    }
  }

  function within<T>(ms: number, what: string, work: Promise<T> | T): Promise<T> {
    let timer: Foreign;
    const late = new Promise<never>((_, reject) => {
      const silence = () => reject(named('PageDeadline', `${what} did not answer within ${ms / 1000} s`));
      timer = setTimeout(silence, ms);
    });
    return Promise.race([Promise.resolve(work), late]).finally(() => clearTimeout(timer));
  }

  function words(value: Foreign): string {
    if (typeof value === 'string') return value.slice(0, longestText);
    if (value === null || typeof value !== 'object') return String(value);
    const text = attempt(() => JSON.stringify(value));
    return typeof text === 'string' && text !== '{}' ? text.slice(0, longestText) : '';
  }

  function errorText(thrown: Foreign): { name: string; message: string } {
    if (thrown === null || typeof thrown !== 'object') return { name: 'Error', message: words(thrown) };
    const name = words(attempt(() => thrown.name) ?? 'Error');
    const message = words(attempt(() => thrown.message) ?? '');
    const own = (attempt(() => Object.keys(thrown)) ?? [])
      .filter((key) => !['name', 'message', 'stack'].includes(key))
      .slice(0, 8)
      .map((key) => `${key}: ${words(attempt(() => thrown[key]))}`);
    // Minified classes have their name for a message.
    const says = [
      message === name || message.length < 3 ? '' : message,
      own.length > 0 ? `(${own.join(', ')})` : '',
    ];
    return { name, message: says.filter(Boolean).join(' ') || `it threw ${name} without a message` };
  }

  return {
    window: page.window,
    member,
    need(path) {
      const found = member(path);
      if (found === undefined || found === null) throw named('PageLacks', `${path} is missing`);
      return found;
    },
    anyMember(paths) {
      for (const path of paths.split('|')) {
        const found = member(path);
        if (found !== undefined && found !== null) return found;
      }
      return undefined;
    },
    attempt,
    within,
    async atMost(ms, work) {
      try {
        return await within(ms, 'it', work());
      } catch {
        return undefined;
      }
    },
    async answer(name, input) {
      try {
        const run = page[name] as (input: unknown) => unknown;
        return { type: 'value', value: (await run(input)) ?? null };
      } catch (error) {
        const said = errorText(error);
        return { type: 'error', kind: kinds[said.name] ?? 'thrown', ...said };
      }
    },
    errorText,
  };
}
