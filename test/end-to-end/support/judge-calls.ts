import assert from 'node:assert/strict';
import type { ApiClient } from './api-client.ts';
import { mostInAnyWindow, type SimulatorControl } from './simulator-control.ts';
import { waitFor } from '@diq/testing/wait-for.ts';

/** Each of these requests was started once, with the id that Defender gave for its machine, and no window was broken. */
export async function assertStartedOnce(
  requests: readonly { readonly id: string; readonly machineId: string }[],
  { api, control, limit }: { api: ApiClient; control: SimulatorControl; limit: number },
): Promise<void> {
  const unfinished = new Set(requests.map(({ id }) => id));
  const areStarted = async () => {
    for (const id of unfinished) {
      if ((await api.findRequest(id)).status === 'started') unfinished.delete(id);
    }
    return unfinished.size === 0;
  };
  await waitFor(areStarted, { what: 'all requests to be started', timeoutMs: 60_000, intervalMs: 200 }).catch(
    async (error: unknown) => {
      const left = await Promise.all([...unfinished].map(async (id) => api.findRequest(id)));
      throw new Error(`not started: ${JSON.stringify(left)}`, { cause: error });
    },
  );
  const log = await control.calls();
  const called = log.calls.map((call) => call.machineId);
  assert.equal(new Set(called).size, called.length, 'a machine was called twice');
  assert.ok(mostInAnyWindow(log) <= limit, `${mostInAnyWindow(log)} calls in one window`);
  for (const { id, machineId } of requests) {
    const { investigationId } = await api.findRequest(id);
    assert.equal(investigationId, await control.investigationOf(machineId), machineId);
  }
}
