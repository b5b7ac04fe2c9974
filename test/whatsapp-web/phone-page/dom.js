// Small helpers for the phone page.

export const byId = (id) => document.getElementById(id);

export function clock(atMs) {
  return new Date(atMs).toLocaleTimeString([], { hour12: false });
}

export function element(tag, text, className = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

export function say(id, text, isBad = false) {
  byId(id).textContent = text;
  byId(id).classList.toggle('bad', isBad);
}

export async function ask(method, path, args) {
  const init = { method, signal: AbortSignal.timeout(5000) };
  const response = await fetch(path, args ? { ...init, body: JSON.stringify(args) } : init).catch(() => {
    throw new Error('The test phone’s server does not answer. Is it still running?');
  });
  const { result, error } = await response.json();
  if (error) throw new Error(error);
  return result;
}

/** Draws only when the data changed, so that the keyboard focus is not lost every second. */
export function whenChanged(draw) {
  let drawn = '';
  return (...args) => {
    const now = JSON.stringify(args);
    if (now === drawn) return;
    drawn = now;
    draw(...args);
  };
}
