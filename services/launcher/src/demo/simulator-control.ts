import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { DemoFailure } from './demo-failure.ts';
import type { DemoStack } from './demo-stack.ts';

/** A simulated Defender, and what lets its control be used. */
export type Simulator = Pick<DemoStack, 'simulatorUrl' | 'caFile' | 'controlKey'>;

const startCall = z.object({
  /** Milliseconds on the simulator's monotonic clock. */
  atMs: z.number(),
  operation: z.string(),
  machineId: z.string(),
  status: z.union([z.number(), z.string()]),
  investigationId: z.string().optional(),
});

const callLog = z.object({ calls: z.array(startCall) });

/** A call as it arrived at Defender. */
export type StartCall = z.output<typeof startCall>;

/** Reads from the simulator which calls arrived there, and when. */
export async function readCallLog(stack: Simulator): Promise<StartCall[]> {
  return callLog.parse(await ask(stack, 'GET', '/control/calls')).calls;
}

/** From now on the simulated Defender answers every start as one that no longer offers the call. */
export async function retireCall(stack: DemoStack): Promise<void> {
  const fault = { target: 'start', times: null, action: { kind: 'retired', form: 'gone' } };
  await ask(stack, 'POST', '/control/faults', JSON.stringify(fault));
}

/** Lets people sign in to an application by the simulated Entra ID. */
export async function setUpSignIn(stack: Simulator, setup: object): Promise<void> {
  await ask(stack, 'POST', '/control/sign-in', JSON.stringify(setup));
}

async function ask(stack: Simulator, method: 'GET' | 'POST', path: string, body = ''): Promise<unknown> {
  const asked = request(`${stack.simulatorUrl}${path}`, {
    method,
    // Its own: this process was started before there was a certificate that NODE_EXTRA_CA_CERTS could name.
    ca: await readFile(stack.caFile),
    headers: { 'X-Control-Key': stack.controlKey, 'Content-Type': 'application/json' },
    agent: false,
    timeout: 10_000,
  });
  asked.once('timeout', () => asked.destroy(new Error('no answer within 10 s')));
  try {
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    const answer = await text(response);
    if (Math.floor((response.statusCode ?? 0) / 100) !== 2) throw new Error(answer);
    return answer === '' ? undefined : JSON.parse(answer);
  } catch (error) {
    const message = `${method} ${path} of the simulator failed: ${String(error)}`;
    throw new DemoFailure(message, 'defender-simulator');
  }
}
