/** What belongs to WhatsApp: any part of it may be missing, of another type or huge, and any access may throw. */
// biome-ignore lint/suspicious/noExplicitAny: the page has no types, and every use of it is guarded.
export type Foreign = any;

/** How a call into the page went. */
export type AgentAnswer =
  | { readonly type: 'value'; readonly value: unknown }
  | {
      readonly type: 'error';
      /** `silent`: WhatsApp did not answer the page. `lacking`: the page lacks something that the call needs. */
      readonly kind: 'thrown' | 'silent' | 'lacking';
      readonly name: string;
      readonly message: string;
    }
  /** The page has reloaded, and the agent is not installed yet. */
  | { readonly type: 'absent' };

/** What all page scripts use: modules of the page, deadlines, errors as data. */
export interface PageAccess {
  readonly window: Foreign;
  /** A module of the page, or a member of one by its path; undefined if it is missing. */
  member(path: string): Foreign;
  /** The same; throws `PageLacks` if it is missing. */
  need(path: string): Foreign;
  /** The first of several paths, separated by `|`, that the page has. */
  anyMember(paths: string): Foreign;
  /** The result of `read`; undefined if it throws. */
  attempt<T>(read: () => T): T | undefined;
  /** Rejects with `PageDeadline` when `work` has not settled after `ms`; `what` names what did not answer. */
  within<T>(ms: number, what: string, work: Promise<T> | T): Promise<T>;
  /** For optional work. undefined: `work` has rejected, or takes longer than `ms`. */
  atMost<T>(ms: number, work: () => Promise<T> | T): Promise<T | undefined>;
  /** Runs a function of the agent. Never rejects: what it throws becomes an `error`. */
  answer(name: string, input: unknown): Promise<AgentAnswer>;
  /** Describes a thrown value. The page's classes have names of one letter and carry their meaning in properties. */
  errorText(thrown: Foreign): { readonly name: string; readonly message: string };
}

/** `page` is the agent. It has only `window` when this script runs, but all functions when one of them is called. */
export function pageAccess(page: { readonly window: Foreign }): PageAccess {
  const maxTextLength = 300;
  const kinds: Foreign = { PageDeadline: 'silent', PageLacks: 'lacking' };

  function namedError(name: string, message: string): Error {
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
      const onLate = () => reject(namedError('PageDeadline', `${what} did not answer within ${ms / 1000} s`));
      timer = setTimeout(onLate, ms);
    });
    return Promise.race([Promise.resolve(work), late]).finally(() => clearTimeout(timer));
  }

  function textOf(value: Foreign): string {
    if (typeof value === 'string') return value.slice(0, maxTextLength);
    if (value === null || typeof value !== 'object') return String(value);
    const text = attempt(() => JSON.stringify(value));
    return typeof text === 'string' && text !== '{}' ? text.slice(0, maxTextLength) : '';
  }

  function errorText(thrown: Foreign): { name: string; message: string } {
    if (thrown === null || typeof thrown !== 'object') return { name: 'Error', message: textOf(thrown) };
    const name = textOf(attempt(() => thrown.name) ?? 'Error');
    const message = textOf(attempt(() => thrown.message) ?? '');
    const properties = (attempt(() => Object.keys(thrown)) ?? [])
      .filter((key) => !['name', 'message', 'stack'].includes(key))
      .slice(0, 8)
      .map((key) => `${key}: ${textOf(attempt(() => thrown[key]))}`);
    const parts = [
      // The message of a minified class is its name.
      message === name || message.length < 3 ? '' : message,
      properties.length > 0 ? `(${properties.join(', ')})` : '',
    ];
    return { name, message: parts.filter(Boolean).join(' ') || `it threw ${name} without a message` };
  }

  return {
    window: page.window,
    member,
    need(path) {
      const found = member(path);
      if (found === undefined || found === null) throw namedError('PageLacks', `${path} is missing`);
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
        const run = (page as Foreign)[name] as (input: unknown) => unknown;
        return { type: 'value', value: (await run(input)) ?? null };
      } catch (error) {
        const text = errorText(error);
        return { type: 'error', kind: kinds[text.name] ?? 'thrown', ...text };
      }
    },
    errorText,
  };
}
