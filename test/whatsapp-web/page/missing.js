// Removes what the page must lack: a member of a module, or a member of that. window.require refuses whole modules.

export function removeMembers(modules, missing) {
  for (const name of missing) {
    const [module, ...members] = name.split('.');
    const last = members.pop();
    const owner = members.reduce((value, member) => value?.[member], modules[module]);
    if (last === undefined || owner === undefined || owner === null) continue;
    // An inherited member can only be hidden.
    if (!Reflect.deleteProperty(owner, last) || last in owner) {
      Object.defineProperty(owner, last, { value: undefined, configurable: true, writable: true });
    }
  }
}
