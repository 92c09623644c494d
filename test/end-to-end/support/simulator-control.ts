import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'undici';
import { z } from 'zod';

const callLog = z.object({
  limit: z.number(),
  windowMs: z.number(),
  maxInAnyWindow: z.number(),
  calls: z.array(
    z.object({
      atMs: z.number(),
      /** The same moment by the wall clock. */
      at: z.string().optional(),
      machineId: z.string(),
      traceparent: z.string().optional(),
      status: z.union([z.number(), z.string()]).optional(),
      investigationId: z.union([z.string(), z.number()]).nullish(),
    }),
  ),
});

const allInvestigations = z.object({
  investigations: z.array(z.object({ id: z.string(), machineId: z.string() })),
});

const judgedAction = z.object({ type: z.string(), comment: z.string() });
const actionJudgement = z.object({
  sequences: z.array(z.object({ machineId: z.string(), actions: z.array(judgedAction) })),
  overtakings: z.array(z.object({ machineId: z.string(), first: judgedAction, second: judgedAction })),
  mostAtOnce: z.record(z.string(), z.number()),
});
const machineAction = z.object({
  id: z.string(),
  machineId: z.string(),
  type: z.string(),
  scope: z.string().nullable(),
  requestorComment: z.string(),
  relatedFileInfo: z.object({ fileIdentifier: z.string() }).nullable(),
  commands: z.array(z.object({ command: z.unknown() })),
});
const allMachineActions = z.object({ machineActions: z.array(machineAction) });

const allReads = z.object({ reads: z.array(z.object({ read: z.string() })) });

export type CallLog = z.output<typeof callLog>;
export type SimulatorControl = Awaited<ReturnType<typeof createSimulatorControl>>;

/** The simulator's side entrance: what really arrived, and what shall go wrong. */
export async function createSimulatorControl(origin: string, caFile: string) {
  const dispatcher = new Agent({ connect: { ca: await readFile(caFile, 'utf8') }, headersTimeout: 0 });

  async function send(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown> {
    const response = await request(`${origin}/control${path}`, {
      method,
      dispatcher,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    assert.ok(response.statusCode < 300, `${method} ${path}: ${response.statusCode} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  return {
    calls: async () => callLog.parse(await send('GET', '/calls')),
    /** Resolves once this many start calls have arrived. */
    untilCalls: async (count: number, timeoutMs = 30_000) => {
      const log = callLog
        .extend({ reached: z.boolean() })
        .parse(await send('GET', `/calls?wait=${count}&timeoutMs=${timeoutMs}`));
      assert.ok(log.reached, `only ${log.calls.length} of ${count} calls arrived within ${timeoutMs} ms`);
      return log;
    },
    /** The id of the first investigation of this machine, started by any caller. */
    investigationOf: async (machineId: string) => {
      const { investigations } = allInvestigations.parse(await send('GET', '/investigations'));
      return investigations.find((one) => one.machineId === machineId)?.id;
    },
    /** All machine actions, made by any caller, whether readers can see them yet or not. */
    machineActions: async () => allMachineActions.parse(await send('GET', '/machine-actions')).machineActions,
    /** One that another application makes. */
    /** How the simulator judges what was done to its machines. */
    actionJudgement: async () => actionJudgement.parse(await send('GET', '/machine-actions/judgement')),
    addMachineAction: async (order: object) =>
      machineAction.parse(await send('POST', '/machine-actions', order)),
    /** It ends now, by default as succeeded. */
    endAction: (id: string, status?: string) =>
      send('POST', `/machine-actions/${id}/end`, status === undefined ? {} : { status }),
    /** The reads of one route that arrived. */
    reads: async (name: string) =>
      allReads.parse(await send('GET', '/reads')).reads.filter(({ read }) => read === name),
    /** An investigation that another application starts. */
    addInvestigation: (order: object) => send('POST', '/investigations', order),
    /** A machine's record from now on; what is left out is as usual. */
    addMachine: (record: object) => send('POST', '/machines', record),
    /** All reads that arrived. */
    allReads: async () =>
      z
        .object({ reads: z.array(z.object({ read: z.string(), url: z.string() })) })
        .parse(await send('GET', '/reads')).reads,
    addFault: (fault: unknown) => send('POST', '/faults', fault),
    clearFaults: () => send('DELETE', '/faults'),
    revokeTokens: () => send('POST', '/tokens/revoke'),
    close: () => dispatcher.close(),
  };
}

/** The greatest number of calls that fall into any window of this length, counted the slow and certain way. */
export function mostInAnyWindow({ calls, windowMs }: Pick<CallLog, 'calls' | 'windowMs'>): number {
  const times = calls.map((call) => call.atMs);
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + windowMs).length));
}
