import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';

const wireCall = z.object({
  /** Monotonic milliseconds of the simulator. */
  atMs: z.number(),
  /** The same moment by the wall clock. */
  at: z.string(),
  machineId: z.string(),
  /**
   * Of the first request that the call is made for; those of further ones follow on lines of their own. Missing where
   * the client left before it had sent the body.
   */
  comment: z
    .string()
    .transform((text) => text.split('\n')[0])
    .optional(),
  status: z.union([z.number(), z.enum(['pending', 'hang', 'reset', 'aborted'])]),
  investigationId: z.string().optional(),
  /** Its document was replaced by a page, as a gateway's. */
  paged: z.boolean().optional(),
  /** When the whole answer was handed to the connection; missing where there was none. */
  answeredAtMs: z.number().optional(),
});
const investigation = z.object({
  id: z.union([z.string(), z.number()]).transform(String),
  machineId: z.string(),
});

/** A start call as it arrived at the simulator, whatever became of it. */
export type WireCall = z.output<typeof wireCall>;
export type MadeInvestigation = z.output<typeof investigation>;

/** What really happened on Defender's side. */
export interface SimulatorLog {
  calls(): Promise<WireCall[]>;
  /** Resolves when one more call than now has been decided, or after the timeout. */
  untilNextCall(timeoutMs: number): Promise<void>;
  investigations(): Promise<MadeInvestigation[]>;
  close(): Promise<void>;
}

export async function openSimulatorLog(origin: string, caFile: string): Promise<SimulatorLog> {
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8') }, headersTimeout: 0 });
  const get = async (path: string): Promise<unknown> =>
    (await request(`${origin}/control${path}`, { dispatcher })).body.json();
  const calls = async () => z.object({ calls: z.array(wireCall) }).parse(await get('/calls')).calls;
  return {
    calls,
    async untilNextCall(timeoutMs) {
      const decided = (await calls()).filter(({ status }) => status !== 'pending').length;
      await get(`/calls?wait=${decided + 1}&timeoutMs=${timeoutMs}`);
    },
    investigations: async () =>
      z.object({ investigations: z.array(investigation) }).parse(await get('/investigations')).investigations,
    close: () => dispatcher.close(),
  };
}
