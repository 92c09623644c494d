import assert from 'node:assert/strict';
import { request } from 'undici';
import { z } from 'zod';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { waitFor } from '@diq/testing/wait-for.ts';

const counts = z.record(z.string(), z.number());
const batchReply = z.object({
  id: z.string(),
  counts,
  items: z.array(
    z.object({
      index: z.number(),
      status: z.string(),
      id: z.string().optional(),
      machineId: z.string().optional(),
    }),
  ),
});
const batchDocument = z.object({ id: z.string(), status: z.enum(['running', 'completed']), counts });
const quotaDocument = z.object({
  used: z.number(),
  remaining: z.number(),
  hold: z.object({ until: z.string(), reason: z.string() }).nullable(),
  slots: z.array(z.object({ machineId: z.string(), outcome: z.string() })),
});

export type ApiClient = ReturnType<typeof createApiClient>;

/** The public API as a caller uses it, over a real socket. */
export function createApiClient(origin: string, apiKey: string) {
  async function call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) {
    const response = await request(`${origin}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.statusCode, headers: response.headers, body: await response.body.json() };
  }

  async function get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const { status, body } = await call('GET', path);
    assert.equal(status, 200, JSON.stringify(body));
    return schema.parse(body);
  }

  const findBatch = (id: string) => get(`/v1/batches/${id}`, batchDocument);

  return {
    origin,
    call,
    findBatch,
    async postBatch(machines: readonly string[], comment = 'end-to-end test') {
      const requests = machines.map((machineId) => ({ machineId, comment }));
      const { status, body } = await call('POST', '/v1/batches', { requests });
      assert.equal(status, 202, JSON.stringify(body));
      return batchReply.parse(body);
    },
    findRequest: (id: string) => get(`/v1/investigations/${id}`, requestDocument),
    quota: () => get('/v1/quota', quotaDocument),
    async metrics() {
      return await (await request(`${origin}/metrics`)).body.text();
    },
    untilCompleted: (batchId: string, timeoutMs: number) =>
      waitFor(
        async () => {
          const batch = await findBatch(batchId).catch(() => undefined);
          return batch?.status === 'completed' ? batch : undefined;
        },
        { timeoutMs, what: `batch ${batchId} to complete` },
      ),
  };
}
