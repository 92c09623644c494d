/** What must become of one item of the bulk file. */
export type ExpectedOutcome =
  | { readonly kind: 'rejected' }
  /** `with` is the index of the item whose call this one shares; absent on the item that is first to name its machine. */
  | {
      readonly kind: 'started' | 'unknown-machine';
      readonly machineId: string;
      readonly with?: number;
    };

/** The part of a bulk file that outcomes depend on. */
export interface BulkFile {
  readonly requests: readonly unknown[];
  readonly defaults?: { readonly comment?: unknown } | undefined;
}

/**
 * Foretells from the file alone what must happen, by rules of its own and not by the code of the services: an item
 * needs a machine id of 32 or 40 hexadecimal digits and a comment; a machine named again joins its first mention;
 * ids that begin with `dead` are those that the simulator does not know.
 */
export function expectOutcomes(file: BulkFile): ExpectedOutcome[] {
  const firstMention = new Map<string, number>();
  return file.requests.map((request, index) => {
    const { machineId: written, comment = file.defaults?.comment } = fieldsOf(request);
    if (!isMachineId(written) || typeof comment !== 'string' || comment.trim() === '')
      return { kind: 'rejected' };
    const machineId = written.toLowerCase();
    const kind = machineId.startsWith('dead') ? 'unknown-machine' : 'started';
    const first = firstMention.get(machineId);
    if (first !== undefined) return { kind, machineId, with: first };
    firstMention.set(machineId, index);
    return { kind, machineId };
  });
}

/** How many calls these outcomes take: one for each machine. */
export function expectedCalls(outcomes: readonly ExpectedOutcome[]): number {
  return outcomes.filter((outcome) => outcome.kind !== 'rejected' && outcome.with === undefined).length;
}

function fieldsOf(request: unknown): { machineId?: unknown; comment?: unknown } {
  return typeof request === 'object' && request !== null ? request : {};
}

function isMachineId(value: unknown): value is string {
  return typeof value === 'string' && /^(?:[0-9a-f]{32}|[0-9a-f]{40})$/i.test(value);
}
