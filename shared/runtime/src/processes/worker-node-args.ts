/**
 * Options of Node for a worker. V8 lets the space for new objects grow to 67 MB by itself, where a worker needs little of it, and takes its
 * size only from the command line. The intake keeps V8's: it takes in batches of 10,000 requests.
 */
export const workerNodeArgs: readonly string[] = ['--max-semi-space-size=8'];
