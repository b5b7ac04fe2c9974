// The page's database: small records by name, and the messages that are not at the server yet.

const DATABASE = 'stand-in-storage';
const STORES = { records: undefined, pending: { keyPath: 'key' } };

/** Runs one request in a transaction of its own; settles when the transaction has. */
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
