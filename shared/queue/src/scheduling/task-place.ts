import { z } from 'zod';
import { priorities, type Priority } from '@diq/contracts/priority.ts';

/** Who moved a task to the head, and why. */
interface MovedBy {
  by: string | undefined;
  /** Of a person, for people to read. */
  displayName: string | undefined;
  reason: string | undefined;
}

/** Why a task stands where it does, see `lua/lib/order.lua`. */
export interface TaskPlace {
  /** Its class. */
  priority: Priority;
  virtualStartMs: number;
  /** The request that was first for it. */
  first: string;
  /** Requests that share it. */
  requests: number;
  /** When it was asked for first. */
  createdAtMs: number;
  /** After which it is not begun; `undefined` where one of its requests has no deadline. */
  notAfterMs: number | undefined;
  /** Whose place it has; `undefined`: that of the caller of its first request. */
  flowCaller: string | undefined;
  /** It was put off to this virtual start, since its caller had had its turns. */
  deferredToMs: number | undefined;
  /** The request for which it was moved up. */
  raisedBy: string | undefined;
  /** That one waits behind it for its turn on the machine; else it shares the call. */
  isRaisedOnMachine: boolean;
  /** It was moved to the head; `by` is `undefined` where that was not noted. */
  head: (MovedBy & { atMs: number | undefined }) | undefined;
}

/** Fields of a task that tell its place. */
export const placeFields = [
  'priority',
  'virtualStart',
  'first',
  'createdAt',
  'notAfter',
  'flowCaller',
  'deferredTo',
  'raisedBy',
  'head',
  'headAt',
  'raisedOn',
] as const;

/** Of an entry of the audit log. */
const movedBy = z.object({
  by: z.string(),
  displayName: z.string().optional(),
  reason: z.string().optional(),
});

const text = z
  .string()
  .nullable()
  .transform((value) => (value === null || value === '' ? undefined : value));
const time = text.transform((value) => (value === undefined ? undefined : Number(value)));
const row = z.tuple([
  z.enum(priorities),
  z.coerce.number(),
  z.string(),
  time,
  time,
  text,
  time,
  text,
  text,
  time,
  text,
]);

/** Reads the values of `placeFields`, `null` or '' for what there is not; `undefined` for a task that is gone or corrupt. */
export function parseTaskPlace(values: unknown, joined: number): TaskPlace | undefined {
  const parsed = row.safeParse(values);
  if (!parsed.success) return undefined;
  const [priority, virtualStartMs, first, createdAtMs, notAfterMs, flowCaller, deferredToMs, raisedBy] =
    parsed.data;
  const [, , , , , , , , head, headAtMs, raisedOn] = parsed.data;
  return {
    priority,
    virtualStartMs,
    first,
    requests: 1 + joined,
    createdAtMs: createdAtMs ?? virtualStartMs,
    notAfterMs,
    flowCaller,
    deferredToMs,
    raisedBy,
    isRaisedOnMachine: raisedOn === 'machine',
    head: head === undefined ? undefined : { ...headOf(head), atMs: headAtMs },
  };
}

/** By whose word: the entry of the audit log, which an earlier version did not keep with the task. */
function headOf(head: string): MovedBy {
  if (!head.startsWith('{')) return { by: undefined, displayName: undefined, reason: undefined };
  const { by, displayName, reason } = movedBy.parse(JSON.parse(head));
  return { by, displayName, reason };
}
