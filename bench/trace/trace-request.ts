import type { Priority } from '@diq/contracts/priority.ts';

/** What an analyst would have said of the incident in the end: hidden from all queues. */
export const truths = ['true_positive', 'benign', 'false_positive'] as const;
export type Truth = (typeof truths)[number];

/** What Defender has of the machine when the request arrives. */
export const machineStates = ['known', 'offline', 'unknown', 'under_investigation'] as const;
export type MachineState = (typeof machineStates)[number];

/** One request for an investigation, as a source sends it. */
export interface TraceRequest {
  /** Seconds from the beginning of the trace, a Monday 0:00 in those that are made here. */
  atSeconds: number;
  /** Requests of one incident have one truth. */
  incident: string;
  /** Requests of one batch are sent in one POST; `''`: sent alone. */
  batch: string;
  source: string;
  priority: Priority;
  machineId: string;
  machine: MachineState;
  /** `undefined`: not known, as in most traces of others. */
  truth: Truth | undefined;
}

/** Requests in order of arrival, and how long the time is that they cover. */
export interface Trace {
  name: string;
  hours: number;
  requests: readonly TraceRequest[];
}
