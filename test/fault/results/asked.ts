import type { AcknowledgedRequest } from '../load.ts';

/** A request for any operation whose 202 arrived. */
export interface AskedRequest extends Omit<AcknowledgedRequest, 'batchId'> {
  readonly operation: string;
  /** Which acts exclude each other on a machine; absent where the operation excludes none. */
  readonly family: string | undefined;
}

/** What the API shows of it. */
export interface ShownRequest {
  readonly id: string;
  readonly machineId: string;
  readonly status: string;
  readonly coalescedWith: string | undefined;
  /** The code of its error. */
  readonly code?: string | undefined;
  readonly result:
    | {
        readonly kind: string;
        readonly id: string;
        readonly outcome: string | undefined;
        readonly attached: boolean;
        readonly reason: string | undefined;
      }
    | undefined;
}

/** A callback as it arrived. */
export interface Delivered {
  readonly deliveryId: string;
  readonly type: string;
  readonly requestId: string;
  readonly outcome: string | undefined;
}

/** Of each result by Defender's id, what really became of it: `undefined` while it runs. */
export type Truth = ReadonlyMap<string, { readonly machineId: string; readonly outcome: string | undefined }>;
