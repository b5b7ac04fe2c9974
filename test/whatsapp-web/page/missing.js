// Takes away what the page is to lack: a module's member, or a member of that. A whole module is refused by require.

export function takeAway(modules, missing) {
  for (const name of missing) {
    const [module, ...members] = name.split('.');
    const last = members.pop();
    const owner = members.reduce((value, member) => value?.[member], modules[module]);
    if (last === undefined || owner === undefined || owner === null) continue;
    // What is inherited can only be hidden.
    if (!Reflect.deleteProperty(owner, last) || last in owner) {
      Object.defineProperty(owner, last, { value: undefined, configurable: true, writable: true });
    }
  }
}
