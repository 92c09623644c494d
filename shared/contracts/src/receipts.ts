import { z } from 'zod';
import { itemError } from './item-answer.ts';
import { requestStatuses } from './status.ts';

const index = z.int().nonnegative().describe('Where the item stood in `requests`, from 0.');
const count = z.int().nonnegative();
const counts = z.object({ accepted: count, coalesced: count, rejected: count });
const refusalsWithoutFault = count.optional().describe('Of these only the code is given.');
const placed = z.enum(['accepted', 'coalesced']);
const refusal = { status: z.literal('rejected'), error: itemError };
const dryRun = z.literal(true);

export const requestReceipt = z
  .object({ id: z.string(), status: z.enum(requestStatuses) })
  .meta({ id: 'RequestReceipt', description: 'What a caller without the scope `read` is answered.' });

export const requestDryRunReceipt = z.union([
  z.object({ dryRun, status: placed }),
  z.object({ dryRun, ...refusal }),
]);

export const batchReceipt = z
  .object({
    id: z.string(),
    status: z.literal('running'),
    counts,
    refusalsWithoutFault,
    items: z.array(
      z.union([z.object({ index, id: z.string(), status: placed }), z.object({ index, ...refusal })]),
    ),
  })
  .meta({ id: 'BatchReceipt', description: 'What a caller without the scope `read` is answered.' });

export const batchDryRunReceipt = z
  .object({
    dryRun,
    counts,
    refusalsWithoutFault,
    items: z.array(z.union([z.object({ index, status: placed }), z.object({ index, ...refusal })])),
  })
  .meta({ id: 'BatchDryRunReceipt', description: 'What a caller without the scope `read` is answered.' });
