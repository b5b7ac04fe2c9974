import { report } from './agents.js';

await report('worker');
postMessage('done');
