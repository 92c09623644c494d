import { z } from 'zod';
import { DemoFailure } from './demo-failure.ts';

const itemError = z.object({ code: z.string(), message: z.string() });

const submission = z.object({
  id: z.string(),
  counts: z.object({ accepted: z.int(), coalesced: z.int(), rejected: z.int() }),
  items: z.array(
    z.object({
      index: z.int(),
      id: z.string().optional(),
      status: z.enum(['accepted', 'coalesced', 'rejected']),
      error: itemError.optional(),
    }),
  ),
});

const batch = z.object({
  status: z.enum(['running', 'completed']),
  counts: z.object({
    total: z.int(),
    queued: z.int(),
    dispatching: z.int(),
    started: z.int(),
    failed: z.int(),
    rejected: z.int(),
    cancelled: z.int(),
  }),
});

const settledItem = z.object({
  index: z.int(),
  status: z.string(),
  investigationId: z.string().optional(),
  error: itemError.optional(),
});

const itemPage = z.object({ value: z.array(settledItem), nextLink: z.string().optional() });
const quota = z.object({
  remaining: z.int(),
  nextSlotAt: z.iso.datetime().nullable(),
  hold: z.object({ reason: z.string(), detail: z.string(), runbook: z.string() }).nullable(),
});
const cancellation = z.object({ cancelled: z.int(), remaining: z.boolean() });

/** The answer to a bulk request: what became of each item at the door. */
export type Submission = z.output<typeof submission>;
export type Batch = z.output<typeof batch>;
/** What became of an item in the end. */
export type SettledItem = z.output<typeof settledItem>;
export type Quota = z.output<typeof quota>;

/** The intake API, as any caller sees it. Every method throws DemoFailure when the answer is not the expected one. */
export interface IntakeClient {
  /** @param path of the batches of another tenant than the only one */
  submit(body: string, path?: string): Promise<Submission>;
  batch(id: string): Promise<Batch>;
  /** All items, in input order. */
  items(batchId: string): Promise<SettledItem[]>;
  quota(): Promise<Quota>;
  /** Cancels what is queued of a batch, and says how many requests that were. */
  cancel(batchId: string): Promise<number>;
}

const answerTimeoutMs = 10_000;

export function createIntakeClient(intakeUrl: string, apiKey: string): IntakeClient {
  async function ask<S extends z.ZodType>(
    expected: S,
    path: string,
    { method = 'GET', ...more }: { method?: 'GET' | 'POST' | 'DELETE'; body?: string } = {},
  ): Promise<z.output<S>> {
    const headers = { Authorization: `Bearer ${apiKey}`, 'Content-Type': 'application/json' };
    const signal = AbortSignal.timeout(answerTimeoutMs);
    const what = `${method} ${path}`;
    const response = await fetch(new URL(path, intakeUrl), { method, ...more, headers, signal }).catch(
      (error: unknown) => failed(`${what} brought no answer: ${String(error)}`),
    );
    const text = await response.text();
    if (!response.ok) return failed(`${what} was answered ${response.status}: ${text}`);
    const answer = expected.safeParse(parseJson(text));
    if (answer.success) return answer.data;
    return failed(`${what} was answered in an unexpected form: ${z.prettifyError(answer.error)}`);
  }

  return {
    submit: (body, path = '/v1/batches') => ask(submission, path, { method: 'POST', body }),
    batch: (id) => ask(batch, `/v1/batches/${id}`),
    quota: () => ask(quota, '/v1/quota'),
    async cancel(batchId) {
      return (await ask(cancellation, `/v1/batches/${batchId}`, { method: 'DELETE' })).cancelled;
    },
    async items(batchId) {
      const items: SettledItem[] = [];
      let path: string | undefined = `/v1/batches/${batchId}/items`;
      while (path !== undefined) {
        const page: z.output<typeof itemPage> = await ask(itemPage, path);
        items.push(...page.value);
        path = page.nextLink;
      }
      return items;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function failed(reason: string): never {
  throw new DemoFailure(reason.replaceAll(/\s+/g, ' '), 'intake-api');
}
