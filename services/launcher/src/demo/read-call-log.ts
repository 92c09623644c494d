import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { get } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { DemoFailure } from './demo-failure.ts';
import type { DemoStack } from './demo-stack.ts';

const startCall = z.object({
  /** Milliseconds on the simulator's monotonic clock. */
  atMs: z.number(),
  machineId: z.string(),
  status: z.union([z.number(), z.string()]),
  investigationId: z.string().optional(),
});

const callLog = z.object({ calls: z.array(startCall) });

/** A call as it arrived at Defender. */
export type StartCall = z.output<typeof startCall>;

/** Reads from the simulator which calls arrived there, and when. */
export async function readCallLog(stack: DemoStack): Promise<StartCall[]> {
  const request = get(`${stack.simulatorUrl}/control/calls`, {
    // Its own: this process was started before there was a certificate that NODE_EXTRA_CA_CERTS could name.
    ca: await readFile(stack.caFile),
    headers: { 'X-Control-Key': stack.controlKey },
    agent: false,
    timeout: 10_000,
  });
  request.once('timeout', () => request.destroy(new Error('no answer within 10 s')));
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return callLog.parse(JSON.parse(await text(response))).calls;
  } catch (error) {
    throw new DemoFailure(`the simulator's call log cannot be read: ${String(error)}`, 'defender-simulator');
  }
}
