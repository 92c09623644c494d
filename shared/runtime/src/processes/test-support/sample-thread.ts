import { parentPort } from 'node:worker_threads';

const answer: string = 'of the thread';
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a thread has no origin
parentPort?.postMessage(answer);
