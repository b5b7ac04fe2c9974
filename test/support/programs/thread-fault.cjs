// Loaded into the product with `node --require`: breaks its session worker thread when a file appears.
// The product itself knows nothing of it.
const { isMainThread, parentPort } = require('node:worker_threads');
const fs = require('node:fs');

const trigger = process.env.THREAD_FAULT_FILE;

const faults = {
  throw: () => {
    throw new Error('thrown on purpose');
  },
  exit: () => process.exit(7),
  reject: () => void Promise.reject('rejected on purpose'),
  // Hears nothing any more; what it has begun goes on.
  deaf: () => {
    parentPort.removeAllListeners('message');
    parentPort.ref();
  },
  busy: () => {
    for (;;);
  },
  // Bit by bit: on a busy machine it must not hang before.
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
  // A thread that nobody has put to work yet says nothing, and is spared.
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
