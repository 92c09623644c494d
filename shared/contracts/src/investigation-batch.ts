import { z } from 'zod';
import { callbackUrlText } from './callback-state.ts';
import { itemDefaults } from './investigation-item.ts';

export const maxBatchItems = 10_000;

/**
 * The envelope of a bulk request. Items are only counted here and validated one by one afterwards, so that a bad item
 * rejects itself and not the batch.
 */
export const investigationBatch = z.strictObject({
  requests: z
    .array(z.unknown(), { error: 'must be an array of items' })
    .min(1, 'must have at least 1 item')
    .max(maxBatchItems, `must have at most ${maxBatchItems} items`),
  defaults: itemDefaults.optional(),
  /** Who is told when the whole batch is complete. */
  callbackUrl: callbackUrlText.optional(),
});

export type InvestigationBatch = z.output<typeof investigationBatch>;
