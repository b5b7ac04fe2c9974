/** `make`, which is not asked again while its arguments stay the same: most requests find what the last one found. */
export function memoizeLast<Args extends readonly unknown[], T>(
  make: (...args: Args) => T,
): (...args: Args) => T {
  let last: { readonly args: Args; readonly value: T } | null = null;
  return (...args) => {
    if (last === null || !last.args.every((arg, i) => arg === args[i])) last = { args, value: make(...args) };
    return last.value;
  };
}
