import { request } from 'undici';
import { z } from 'zod';
import { docOf } from '@diq/queue/stored-doc.ts';
import type { FaultWorld } from './fault-world.ts';
import type { RequestState } from './judge.ts';

const document = z.object({
  id: z.string(),
  machineId: z.string(),
  comment: z.string(),
  status: z.string(),
  investigationId: z.string().optional(),
  attached: z.boolean().optional(),
  coalescedWith: z.string().optional(),
});
const asked = z.object({ machineId: z.string(), comment: z.string() });

const atOnce = 16;

/** What the API tells of these requests; one that it does not know is left out. */
export async function readDocuments(
  world: FaultWorld,
  ids: readonly string[],
): Promise<Map<string, RequestState>> {
  const found = new Map<string, RequestState>();
  const left = [...ids];
  const port = world.intakeFleet.members[0]?.ready.port;
  const readOn = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const response = await request(`http://127.0.0.1:${port}/v1/investigations/${id}`, {
        headers: { authorization: `Bearer ${world.apiKey}` },
      });
      const body = await response.body.json();
      if (response.statusCode === 200) found.set(id, document.parse(body));
      else if (response.statusCode !== 404) throw new Error(`request ${id}: ${JSON.stringify(body)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, readOn));
  return found;
}

/** Every request that stands in Redis, whether or not its caller was told of it. */
export async function readRecorded({ redisClient, keySpace }: FaultWorld): Promise<RequestState[]> {
  const prefix = `${keySpace}:request:`;
  const found: RequestState[] = [];
  for await (const page of redisClient.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    const keys = z.array(z.string()).parse(page);
    found.push(...(await Promise.all(keys.map((key) => readHash(key, prefix)))));
  }
  return found;

  async function readHash(key: string, prefix: string): Promise<RequestState> {
    const hash = await redisClient.hgetall(key);
    const { machineId, comment } = asked.parse(JSON.parse(docOf(hash) ?? '{}'));
    return {
      id: key.slice(prefix.length),
      machineId,
      comment,
      status: hash['status'] ?? 'missing',
      investigationId: hash['investigationId'],
      attached: hash['attached'] !== undefined,
      coalescedWith: hash['with'],
    };
  }
}
