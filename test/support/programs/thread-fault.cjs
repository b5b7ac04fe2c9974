// Loaded into the product with `node --require`. Breaks a session worker thread when a file appears: of any session, or with
// `-SESSION` at the end of its name, of that one. The product has no code for it.
const { isMainThread, parentPort } = require('node:worker_threads');
const fs = require('node:fs');

const trigger = process.env.THREAD_FAULT_FILE;

const faults = {
  throw: () => {
    throw new Error('thrown on purpose');
  },
  exit: () => process.exit(7),
  reject: () => void Promise.reject('rejected on purpose'),
  // Receives no more messages; work that has begun goes on.
  deaf: () => {
    parentPort.removeAllListeners('message');
    parentPort.ref();
  },
  busy: () => {
    for (;;);
  },
  // In small steps: on a busy machine the thread must not hang before it runs out of memory.
  memory: () => {
    const kept = [];
    const hoard = () => {
      for (let i = 0; i < 10; i++) kept.push(new Array(100_000).fill(Math.random()));
      setImmediate(hoard);
    };
    hoard();
  },
};

if (!isMainThread && trigger) {
  // A warm thread has no session yet. It is left alone.
  let session = null;
  const on = parentPort.on.bind(parentPort);
  parentPort.on = (name, listener) =>
    on(name, (message) => {
      session ??= message?.data?.run?.session ?? null;
      listener(message);
    });
  setInterval(() => {
    if (session === null) return;
    const file = [trigger, `${trigger}-${session}`].find((each) => fs.existsSync(each));
    if (file === undefined) return;
    const fault = fs.readFileSync(file, 'utf8').trim();
    fs.rmSync(file, { force: true });
    faults[fault]();
  }, 50);
}
