import { createClient } from '@diq/client/client.ts';
import { DiqError } from '@diq/client/diq-error.ts';
import type { NewBatch } from '@diq/client/inputs.ts';
import { DemoFailure } from './demo-failure.ts';

/** What the demo looks at in the answers. */
interface ItemError {
  readonly code: string;
  readonly message: string;
}

/** What became of an item at the door. */
export interface AnsweredItem {
  readonly index: number;
  readonly status: 'accepted' | 'coalesced' | 'rejected';
  readonly error?: ItemError;
}

/** What became of an item in the end. */
export interface SettledItem {
  readonly index: number;
  readonly status: string;
  readonly investigationId?: string | undefined;
  readonly error?: ItemError | undefined;
}

export type IntakeClient = ReturnType<typeof createIntakeClient>;
type Answer<Method extends 'batch' | 'quota'> = Awaited<ReturnType<IntakeClient[Method]>>;
export type Batch = Answer<'batch'>;
export type Quota = Answer<'quota'>;

/** Answers come at once on this machine. */
const answerTimeoutMs = 10_000;

/** The calls that the demo makes, as any caller does. Each throws DemoFailure where the intake does not answer as it must. */
export function createIntakeClient(url: string, credential: string) {
  const client = createClient({ url, credential, callTimeoutMs: answerTimeoutMs });
  return {
    /**
     * @param batch also one with items that the intake must reject
     * @param tenant which of several
     */
    submit: (batch: NewBatch, tenant?: string) =>
      answered((tenant === undefined ? client : client.ofTenant(tenant)).submitBatch(batch)),
    batch: (id: string) => answered(client.getBatch(id)),
    quota: () => answered(client.getQuota()),
    /** Cancels what is queued of a batch, and says how many requests that were. */
    cancel: async (batchId: string) => (await answered(client.cancelBatch(batchId))).cancelled,
    /** All items, in input order. */
    items: (batchId: string) =>
      answered(
        (async () => {
          const items: SettledItem[] = [];
          for await (const item of client.listBatchItems(batchId)) items.push(item);
          return items;
        })(),
      ),
  };
}

async function answered<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof DiqError)) throw error;
    throw new DemoFailure(error.message.replaceAll(/\s+/g, ' '), 'intake-api');
  }
}
