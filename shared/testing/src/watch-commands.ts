import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';
import { waitFor } from './wait-for.ts';

export interface CommandWatch {
  /** The commands so far, oldest first, each with its arguments; also those within scripts. The caller may empty it. */
  readonly seen: string[][];
  /** Until every command that Redis has run so far is in `seen`, and with it an ECHO of this function's own. */
  untilNow(): Promise<void>;
  close(): void;
}

/**
 * Every command of any client from now on, as the server of `client` shows them to a monitor. ioredis has a `monitor()` of its own,
 * which takes a command that is shown in one packet with the server's `OK` for an answer to nothing: the connection fails, and is
 * tried again for as long as the process lives.
 */
export async function watchCommands(client: Redis): Promise<CommandWatch> {
  const { host, port } = client.options;
  const socket = connect({ host: host ?? '127.0.0.1', port: port ?? 6379 });
  await once(socket, 'connect');
  const seen: string[][] = [];
  let begins = (): void => {};
  const begun = new Promise<void>((resolve) => (begins = resolve));
  createInterface({ input: socket }).on('line', (line) => {
    if (line === '+OK') begins();
    else seen.push(argumentsOf(line));
  });
  socket.write('MONITOR\r\n');
  await Promise.race([
    begun,
    once(socket, 'close').then(() => {
      throw new Error('Redis closed the connection of the monitor');
    }),
  ]);

  return {
    seen,
    async untilNow() {
      const sign = randomUUID();
      await client.echo(sign);
      await waitFor(() => seen.some((args) => args[1] === sign), {
        what: 'the monitor to show the ECHO',
        intervalMs: 2,
      });
    },
    close: () => socket.destroy(),
  };
}

/** `+<time> [<database> <address>] "<name>" "<argument>" …`, in which a byte that is no printable ASCII stands as `\x07`. */
const argumentsOf = (line: string): string[] =>
  [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, quoted = '']) => {
    const asJson = quoted.replaceAll(/\\(?:x([0-9a-f]{2})|a|.)/g, (escape: string, hex?: string) =>
      hex === undefined ? (escape === String.raw`\a` ? String.raw`\u0007` : escape) : String.raw`\u00${hex}`,
    );
    return Buffer.from(String(JSON.parse(`"${asJson}"`)), 'latin1').toString();
  });
