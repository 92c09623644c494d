import { once } from 'node:events';
import { createServer } from 'node:net';

/** A port that was free on the loopback address a moment ago; another process may still be quicker to it. */
export async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port');
  return address.port;
}
