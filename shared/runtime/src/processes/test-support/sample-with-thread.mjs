import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

const [answer] = await once(new Worker(new URL('./sample-thread.ts', import.meta.url)), 'message');
process.send?.({ kind: 'ready', service: 'sample', port: 1, answer, nodeArgs: process.execArgv.join(' ') });
