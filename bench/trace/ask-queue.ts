import { Pool } from 'undici';
import { z } from 'zod';
import type { Trace, TraceRequest } from './trace-request.ts';

/** A request of the trace as the queue under test knows it. */
export interface AskedRequest {
  request: TraceRequest;
  id: string;
  /** Wall clock, ms. */
  sentAtMs: number;
  expectedStartAtMs: number | undefined;
}

/** What became of it. */
export interface EndedRequest extends AskedRequest {
  status: string;
  errorCode: string | undefined;
  attempts: number;
  dispatchedAtMs: number | undefined;
  joined: boolean;
}

const document = z.object({
  id: z.string(),
  status: z.string(),
  expectedStartAt: z.string().optional(),
  dispatchedAt: z.string().optional(),
  coalescedWith: z.string().optional(),
  attempts: z.number().optional(),
  error: z.object({ code: z.string() }).optional(),
});
const batchAnswer = z.object({ items: z.array(z.object({ id: z.string(), status: z.string() })) });

/** Of a batch so many are asked at once when they are expected to start, spread over it. */
const sampledOfBatch = 10;

const timeOf = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));

export type QueueClient = ReturnType<typeof createQueueClient>;

/** A SOAR platform in front of one tenant's queue. */
export function createQueueClient(
  { origin, headers }: { origin: string; headers: Readonly<Record<string, string>> },
  tenant: string,
) {
  const pool = new Pool(origin, { connections: 8 });
  const root = `/v1/tenants/${tenant}`;

  async function send(method: 'GET' | 'POST', path: string, body?: object): Promise<unknown> {
    const response = await pool.request({
      method,
      path: root + path,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return JSON.parse(text);
  }
  const read = async (id: string) => document.parse(await send('GET', `/investigations/${id}`));

  async function askBatch(requests: readonly TraceRequest[]): Promise<AskedRequest[]> {
    const sentAtMs = Date.now();
    const { items } = batchAnswer.parse(await send('POST', '/batches', { requests: requests.map(itemOf) }));
    const every = Math.ceil(items.length / sampledOfBatch);
    const asked = requests.map((request, i) => ({ request, id: items[i]?.id ?? '', sentAtMs }));
    return Promise.all(
      asked.map(async (one, i) => ({
        ...one,
        expectedStartAtMs: i % every === 0 ? timeOf((await read(one.id)).expectedStartAt) : undefined,
      })),
    );
  }

  return {
    /** Requests that arrive together. @throws Error when one is not accepted */
    async ask(requests: readonly TraceRequest[]): Promise<AskedRequest[]> {
      const [first] = requests;
      if (first === undefined) return [];
      if (first.batch !== '') return askBatch(requests);
      const sentAtMs = Date.now();
      const answer = document.parse(await send('POST', '/investigations', itemOf(first)));
      return [
        {
          request: first,
          id: answer.id,
          sentAtMs,
          expectedStartAtMs: answer.status === 'queued' ? timeOf(answer.expectedStartAt) : undefined,
        },
      ];
    },
    /** What became of all of them. @throws Error when one is not known any more */
    async readEnds(asked: readonly AskedRequest[]): Promise<EndedRequest[]> {
      const ends: EndedRequest[] = [];
      for (let from = 0; from < asked.length; from += 100) {
        const part = asked.slice(from, from + 100);
        ends.push(
          ...(await Promise.all(
            part.map(async (one) => {
              const { status, error, attempts = 0, dispatchedAt, coalescedWith } = await read(one.id);
              const joined = coalescedWith !== undefined;
              const dispatchedAtMs = timeOf(dispatchedAt);
              return { ...one, status, errorCode: error?.code, attempts, dispatchedAtMs, joined };
            }),
          )),
        );
      }
      return ends;
    },
    close: () => pool.close(),
  };
}

function itemOf({ machineId, incident, source, priority }: TraceRequest) {
  return { machineId, priority, source, comment: incident, correlation: { incident } };
}

/** What is sent together: one request, or those of one batch, by the time of the first. */
export function groupsOf({ requests }: Trace): TraceRequest[][] {
  const batches = new Map<string, TraceRequest[]>();
  const groups: TraceRequest[][] = [];
  for (const request of requests) {
    const batch = request.batch === '' ? undefined : batches.get(request.batch);
    if (batch) batch.push(request);
    else {
      const group = [request];
      groups.push(group);
      if (request.batch !== '') batches.set(request.batch, group);
    }
  }
  return groups;
}
