import { keySpace, type Limit, type OperationName } from '@diq/contracts/operations.ts';
import { queueTagOf } from '@diq/contracts/queue-tag.ts';

/** What holds for the calls of one queue. */
export interface QueueRules {
  /** All of them hold at once. */
  readonly limits: readonly Limit[];
  /** Of the slots of each window, those that only critical requests get. */
  readonly reserveForCritical: number;
}

/** The form of a tenant's name. */
export const tenantName = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** An Entra tenant on whose machines this service acts. */
export interface Tenant {
  /** In paths, labels and log lines. */
  readonly name: string;
  readonly tenantId: string;
  /** Origin of Defender's portal; `undefined` where it is not known. */
  readonly portal?: string | undefined;
  /** Of requests that name no operation. */
  readonly defaultOperation: OperationName;
  /** Those that it may use. */
  readonly operations: ReadonlyMap<OperationName, QueueRules>;
}

/** How the service proves to Entra ID who it is. Files are read for each token request, so rotation needs no restart. */
export type Credential =
  | { readonly kind: 'secret'; readonly secret: string }
  | { readonly kind: 'secret_file'; readonly path: string }
  /** PEM file with private key and certificate, leaf first. */
  | { readonly kind: 'certificate'; readonly path: string }
  /** File with a token of the platform. */
  | { readonly kind: 'federated'; readonly path: string };

/** With what and where a tenant's Defender is called. */
export interface DefenderAccess {
  readonly clientId: string;
  readonly credential: Credential;
  readonly authorityHost: string;
  readonly baseUrl: string;
  readonly scope: string;
}

/** A tenant as the worker needs it. */
export interface ReachableTenant extends Tenant {
  readonly access: DefenderAccess;
}

/** One tenant's one operation: a key space, an order, a ledger, holds and a pause of its own. */
export interface Queue extends QueueRules {
  /** The tenant's name. */
  readonly tenant: string;
  readonly tenantId: string;
  /** Origin of Defender's portal; `undefined` where it is not known. */
  readonly portal?: string | undefined;
  readonly operation: OperationName;
  readonly keySpace: string;
  /** See `queueTagOf`. */
  readonly tag: string;
}

/** As people read it, in logs and readiness. */
export function nameOf({ tenant, operation }: Pick<Queue, 'tenant' | 'operation'>): string {
  return `${tenant}/${operation}`;
}

/** The queues of a tenant, its default operation first. */
export function queuesOf({ name, tenantId, portal, defaultOperation, operations }: Tenant): Queue[] {
  const queues = [...operations].map(([operation, rules]): Queue => {
    const space = keySpace({ tenantId, operation });
    return { tenant: name, tenantId, portal, operation, ...rules, keySpace: space, tag: queueTagOf(space) };
  });
  const isDefault = ({ operation }: Queue) => Number(operation === defaultOperation);
  return queues.toSorted((a, b) => isDefault(b) - isDefault(a));
}

/** Two tenants with the same are served alike. It holds their secrets: to be compared, and never shown. */
export function identityOf(tenant: Tenant): string {
  return JSON.stringify({ ...tenant, operations: [...tenant.operations] });
}
