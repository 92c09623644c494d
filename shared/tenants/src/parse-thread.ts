/** The thread of `parse-in-thread.ts`: gets the text of a tenants file and answers with what is in it. */
import { parentPort, workerData } from 'node:worker_threads';
import { parseTenants } from './parse-tenants.ts';

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port of a thread has no origin
parentPort?.postMessage(parseTenants(String(workerData)));
