// Loaded into the product with `node --require`. Breaks the process that serves HTTP when a file appears.
// The product has no code for it.
const fs = require('node:fs');

const trigger = process.env.HTTP_FAULT_FILE;

const faults = {
  block: () => {
    const until = performance.now() + 30_000;
    while (performance.now() < until);
  },
  throw: () => {
    throw new Error('thrown on purpose');
  },
  memory: () => {
    const kept = [];
    for (;;) kept.push(new Array(100_000).fill(Math.random()));
  },
};

if (trigger && /\/http\/main\.js$/.test(process.argv[1] ?? '')) {
  setInterval(() => {
    if (!fs.existsSync(trigger)) return;
    const fault = fs.readFileSync(trigger, 'utf8').trim();
    fs.rmSync(trigger, { force: true });
    faults[fault]();
  }, 50).unref();
}
