import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';

const wireCall = z.object({
  /** Monotonic milliseconds of the simulator. */
  atMs: z.number(),
  /** The same moment by the wall clock. */
  at: z.string(),
  machineId: z.string(),
  /** As it stands in the path. */
  operation: z.string().optional(),
  /** The machine action that it made, or was answered with. */
  actionId: z.string().optional(),
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
const followedInvestigation = investigation.extend({ state: z.string() });
const action = z.object({
  id: z.string(),
  type: z.string(),
  machineId: z.string(),
  status: z.string(),
  creationDateTimeUtc: z.string(),
  requestorComment: z.string(),
});
const judged = z.object({
  id: z.string(),
  type: z.string(),
  comment: z.string(),
  acceptedAt: z.string(),
  endedAt: z.string().nullable(),
});
const judgement = z.object({
  sequences: z.array(z.object({ machineId: z.string(), family: z.string(), actions: z.array(judged) })),
  overtakings: z.array(
    z.object({ machineId: z.string(), family: z.string(), first: judged, second: judged }),
  ),
});
const read = z.object({ atMs: z.number(), read: z.string(), status: z.unknown() });

/** A start call as it arrived at the simulator, whatever became of it. */
export type WireCall = z.output<typeof wireCall>;
export type MadeInvestigation = z.output<typeof investigation>;
export type FollowedInvestigation = z.output<typeof followedInvestigation>;
export type MadeAction = z.output<typeof action>;
export type JudgedAction = z.output<typeof judged>;
export type ActionJudgement = z.output<typeof judgement>;
export type WireRead = z.output<typeof read>;

/** What really happened on Defender's side. */
export interface SimulatorLog {
  calls(): Promise<WireCall[]>;
  /** Resolves when one more call than now has been decided, or after the timeout. */
  untilNextCall(timeoutMs: number): Promise<void>;
  investigations(): Promise<FollowedInvestigation[]>;
  /** The machine actions of all applications and people, with their present status. */
  actions(): Promise<MadeAction[]>;
  /** Contrary actions as they were accepted and ended on each machine. */
  judgement(): Promise<ActionJudgement>;
  reads(): Promise<WireRead[]>;
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
      z.object({ investigations: z.array(followedInvestigation) }).parse(await get('/investigations'))
        .investigations,
    actions: async () =>
      z.object({ machineActions: z.array(action) }).parse(await get('/machine-actions')).machineActions,
    judgement: async () => judgement.parse(await get('/machine-actions/judgement')),
    reads: async () => z.object({ reads: z.array(read) }).parse(await get('/reads')).reads,
    close: () => dispatcher.close(),
  };
}
