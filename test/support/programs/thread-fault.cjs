// Loaded into the product with `node --require`. Breaks its session worker thread when a file appears.
// The product has no code for it.
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
  // A warm thread has sent no message yet. It is left alone.
  let hasSpoken = false;
  const say = parentPort.postMessage.bind(parentPort);
  parentPort.postMessage = (...message) => {
    hasSpoken = true;
    return say(...message);
  };
  setInterval(() => {
    if (!hasSpoken || !fs.existsSync(trigger)) return;
    const fault = fs.readFileSync(trigger, 'utf8').trim();
    fs.rmSync(trigger, { force: true });
    faults[fault]();
  }, 50);
}
