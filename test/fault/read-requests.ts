import type { Redis } from 'ioredis';
import { request } from 'undici';
import { z } from 'zod';
import { docOf } from '@diq/queue/requests/stored-request.ts';
import type { FaultWorld } from './fault-world.ts';
import type { RequestState } from './judge.ts';

const document = z
  .object({
    id: z.string(),
    machineId: z.string(),
    comment: z.string(),
    status: z.string(),
    investigationId: z.string().optional(),
    result: z.object({ attached: z.boolean().optional() }).optional(),
    coalescedWith: z.string().optional(),
  })
  .transform(({ result, ...rest }) => ({ ...rest, attached: result?.attached }));
const asked = z.object({ machineId: z.string(), comment: z.string() });

const atOnce = 16;

/** What the API shows of these requests; one that it does not know is left out. */
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

/** The id of every request that stands in Redis, whether or not its caller received a 202. */
export async function readRecordedIds(redis: Redis, keySpace: string): Promise<string[]> {
  const prefix = prefixOf(keySpace);
  const found: string[] = [];
  for await (const page of redis.scanStream({ match: `${prefix}*`, count: 1_000 })) {
    const keys = z.array(z.string()).parse(page);
    found.push(...keys.map((key) => key.slice(prefix.length)));
  }
  return found;
}

/** The same with where each of them stands. */
export async function readRecorded({ redis, keySpace }: FaultWorld): Promise<RequestState[]> {
  const server = await redis.holder();
  return await Promise.all((await readRecordedIds(server, keySpace)).map(readHash));

  async function readHash(id: string): Promise<RequestState> {
    const hash = await server.hgetall(prefixOf(keySpace) + id);
    const { machineId, comment } = asked.parse(JSON.parse(docOf(hash) ?? '{}'));
    return {
      id,
      machineId,
      comment,
      status: hash['status'] ?? 'missing',
      investigationId: hash['investigationId'],
      attached: hash['attached'] !== undefined,
      coalescedWith: hash['with'],
    };
  }
}

function prefixOf(keySpace: string): string {
  return `${keySpace}:request:`;
}
