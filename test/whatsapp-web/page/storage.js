// The page's database: small records by name, and messages that the server does not have yet.

const DATABASE = 'stand-in-storage';
const STORES = { records: undefined, pending: { keyPath: 'key' } };

/** Runs one request in its own transaction. Settles when the transaction does. */
export async function inStore(name, mode, request) {
  const database = await openDatabase();
  try {
    const transaction = database.transaction(name, mode);
    const made = request(transaction.objectStore(name));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'));
    });
    return made.result;
  } finally {
    database.close();
  }
}

export async function clearStorage() {
  localStorage.clear();
  for (const name of Object.keys(STORES)) {
    await inStore(name, 'readwrite', (store) => store.clear()).catch(reportError);
  }
}

function openDatabase() {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open(DATABASE, 2);
    opening.onupgradeneeded = () => {
      for (const [name, options] of Object.entries(STORES)) {
        if (!opening.result.objectStoreNames.contains(name)) opening.result.createObjectStore(name, options);
      }
    };
    opening.onsuccess = () => resolve(opening.result);
    opening.onerror = () => reject(opening.error);
  });
}
