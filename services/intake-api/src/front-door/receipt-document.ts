import type { RequestDocument } from '@diq/contracts/request-document.ts';
import { mayRead } from '../auth/ownership.ts';
import type { RequestContext } from '../http/request-context.ts';

/**
 * What a caller without the scope `read` sees of its own request: its id and status, and what it sent itself. With whom it shares
 * a call, where it stands among others and what came of it are left out, as in a receipt of the API.
 */
export function receiptUnlessReader(context: RequestContext, document: RequestDocument): RequestDocument {
  if (mayRead(context)) return document;
  const { id, operation, machineId, machineName, aadDeviceId, comment, parameters, priority } = document;
  const { createdAt, status } = document;
  const asked = { operation, machineId, machineName, aadDeviceId, comment, parameters, priority };
  return JSON.parse(JSON.stringify({ id, ...asked, createdAt, status, attempts: 0 })) as RequestDocument;
}
