import { request } from 'undici';
import { z } from 'zod';
import type { FaultWorld } from '../fault-world.ts';
import type { ShownRequest } from './asked.ts';

const shown = z
  .object({
    id: z.string(),
    machineId: z.string().optional(),
    status: z.string(),
    coalescedWith: z.string().optional(),
    error: z.object({ code: z.string() }).optional(),
    result: z
      .object({
        kind: z.string(),
        id: z.string(),
        outcome: z.string().optional(),
        attached: z.boolean().optional(),
        reason: z.string().optional(),
      })
      .transform((result) => ({
        kind: result.kind,
        id: result.id,
        outcome: result.outcome,
        attached: result.attached === true,
        reason: result.reason,
      }))
      .optional(),
  })
  .transform(({ id, machineId = '', status, coalescedWith, error, result }): ShownRequest => {
    return { id, machineId, status, coalescedWith, code: error?.code, result };
  });

const atOnce = 16;

/** What the API shows of these requests; one that it does not know is left out. Rejects while an intake cannot answer. */
export async function readShown(
  world: Pick<FaultWorld, 'intakeFleet' | 'apiKey'>,
  ids: readonly string[],
): Promise<Map<string, ShownRequest>> {
  const found = new Map<string, ShownRequest>();
  const left = [...ids];
  const port = world.intakeFleet.members[0]?.ready.port;
  const readOn = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const answer = await request(`http://127.0.0.1:${port}/v1/requests/${id}`, {
        headers: { authorization: `Bearer ${world.apiKey}` },
        signal: AbortSignal.timeout(5_000),
      });
      const body = await answer.body.json();
      if (answer.statusCode === 200) found.set(id, shown.parse(body));
      else if (answer.statusCode !== 404) throw new Error(`request ${id}: ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readOn));
  return found;
}
