// The page's keys and its login. Half of the login is in IndexedDB and half in localStorage, as on the real page. The page
// needs both halves to log in again.

import { inStore } from './storage.js';

const LOGIN = 'StandInLogin';

/** Loads the keys, or makes them. They stay until a logout. */
export async function loadKeys() {
  const stored = await inStore('records', 'readonly', (store) => store.get('keys')).catch(() => undefined);
  if (stored) return stored;
  const keys = { noise: randomBytes(), identity: randomBytes(), adv: toBase64(randomBytes()) };
  await saveKeys(keys);
  return keys;
}

export async function saveKeys(keys) {
  const copy = { ...keys };
  await inStore('records', 'readwrite', (store) => store.put(copy, 'keys')).catch(reportError);
}

export async function loadCredentials() {
  const id = localStorage.getItem(LOGIN);
  const secret = await inStore('records', 'readonly', (store) => store.get('secret')).catch(() => undefined);
  return id && secret ? { id, secret } : null;
}

/** Never throws: if the profile was deleted while the browser runs, the login works but is not saved. */
export async function saveCredentials({ id, secret }) {
  localStorage.setItem(LOGIN, id);
  await inStore('records', 'readwrite', (store) => store.put(secret, 'secret')).catch(reportError);
}

export function toBase64(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes)));
}

function randomBytes() {
  return crypto.getRandomValues(new Uint8Array(32));
}
