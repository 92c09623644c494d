import { z } from 'zod';
import { batchAnswer, batchDryRun } from '@diq/contracts/item-answer.ts';
import { investigationItem, itemDefaults } from '@diq/contracts/investigation-item.ts';
import { batchDryRunReceipt, batchReceipt, requestReceipt } from '@diq/contracts/receipts.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { resultOutcomes } from '@diq/contracts/result-outcome.ts';
import { priorities } from '@diq/contracts/priority.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { tenantName } from '@diq/tenants/tenant.ts';
import { operationField } from '../http/define-route.ts';

/** Items of one call: an agent that has more asks again. */
export const maxItems = 100;

const tenant = z
  .string({ error: 'must be a string' })
  .regex(tenantName, 'must be the name of a tenant')
  .optional()
  .describe('The name of a tenant; needed only where the credential reaches several.');
const ofQueue = { tenant, operation: operationField };
const id = z
  .string({ error: 'must be a string' })
  .regex(/^[0-9A-Za-z-]{1,64}$/, 'must be the id of a request')
  .describe('Of a request.');
const pageSize = z
  .int('must be a whole number from 1 to 50')
  .min(1, 'must be a whole number from 1 to 50')
  .max(50, 'must be a whole number from 1 to 50')
  .default(20);

/** The source is the endpoint's own, and an agent names no address that is called. */
const notAsked = { source: true, callbackUrl: true } as const;
const asked = {
  ...ofQueue,
  requests: z
    .array(investigationItem.omit(notAsked).partial({ comment: true }), {
      error: 'must be an array of items',
    })
    .min(1, 'must have at least 1 item')
    .max(maxItems, `must have at most ${maxItems} items`)
    .describe('One entry for each machine. A `comment` is required, here or in `defaults`.'),
  defaults: z
    .strictObject(itemDefaults.omit(notAsked).shape)
    .optional()
    .describe('What holds for each entry that does not say otherwise.'),
};

/** What the tools take. */
export const inputs = {
  queue: z.strictObject(ofQueue),
  dryRun: z.strictObject(asked),
  submit: z.strictObject({
    ...asked,
    idempotencyKey: z
      .string({ error: 'must be a string' })
      .regex(/^[\x20-\x7e]{1,255}$/, 'must have 1 to 255 printable ASCII characters')
      .optional()
      .describe('Of your choice. The same call repeated with the same key records nothing twice.'),
  }),
  get: z.strictObject({ tenant, id }),
  cancel: z.strictObject({
    tenant,
    id,
    reason: z.string({ error: 'must be a string' }).optional().describe('Kept in the audit record.'),
  }),
  list: z.strictObject({
    ...ofQueue,
    status: z.array(z.enum(requestStatuses)).optional(),
    outcome: z.enum(resultOutcomes).optional().describe('Of the result.'),
    priority: z.enum(priorities).optional(),
    machineId: z.string().optional(),
    batchId: z.string().optional(),
    source: z.string().optional(),
    from: z.string().optional().describe('ISO 8601 with a zone: created then or later.'),
    to: z.string().optional().describe('ISO 8601 with a zone: created before.'),
    limit: pageSize,
    cursor: z.string().optional().describe('`nextCursor` of the page before, with the same filters.'),
  }),
  next: z.strictObject({ ...ofQueue, limit: pageSize }),
};

/** What they answer. A caller without the scope `read` gets receipts. */
export const outputs = {
  dryRun: z.strictObject({ foreseen: z.union([batchDryRun, batchDryRunReceipt]) }),
  submit: z.strictObject({ batch: z.union([batchAnswer, batchReceipt]) }),
  get: z.strictObject({ request: requestDocument }),
  cancel: z.strictObject({ request: z.union([requestDocument, requestReceipt]) }),
  list: z.strictObject({
    requests: z.array(requestDocument),
    nextCursor: z.string().optional().describe('There is more, also behind a page that is empty.'),
  }),
};
