import { z } from 'zod';
import {
  batchDryRunReceipt,
  batchReceipt,
  requestDryRunReceipt,
  requestReceipt,
} from '@diq/contracts/receipts.ts';
import { mayRead } from '../auth/ownership.ts';
import type { RequestContext } from '../http/request-context.ts';

/** Parsing leaves out of an answer what is not in its receipt. */
const receipt = z.union([batchReceipt, batchDryRunReceipt, requestReceipt, requestDryRunReceipt]);

/**
 * The answer to a POST, PATCH or DELETE as its caller may see it. Without the scope `read` it is a receipt: id and
 * status. Whose request it shares a call with, and where it stands among those of others, is left out.
 */
export function forCaller(context: RequestContext, answer: object): object {
  return mayRead(context) ? answer : receipt.parse(answer);
}
