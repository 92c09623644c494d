import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { NewBatch } from '@diq/client/inputs.ts';
import { DemoFailure } from './demo-failure.ts';
import { expectOutcomes, type ExpectedOutcome } from './expect-outcomes.ts';

/** Only as much as is needed to foretell the outcome; everything else is for the intake to judge. */
const bulkFile = z.object({
  requests: z.array(z.unknown()).min(1),
  defaults: z.object({ comment: z.unknown() }).partial().optional(),
});

/** A bulk request as it stands in a file. */
export interface BulkRequest {
  /** As it is posted, with the items that the intake must reject. */
  readonly batch: NewBatch;
  /** The machine id of each item as written, or what stands in its place. */
  readonly machines: readonly string[];
  /** For each item. */
  readonly expected: readonly ExpectedOutcome[];
}

/** The bulk request that the demo posts. */
export const exampleFile = new URL('../../../../examples/bulk-request.json', import.meta.url);

/** @throws DemoFailure when the file is missing or is no bulk request */
export async function readBulkFile(file: URL): Promise<BulkRequest> {
  try {
    const batch = JSON.parse(await readFile(file, 'utf8')) as NewBatch;
    const content = bulkFile.parse(batch);
    return { batch, machines: content.requests.map(machineOf), expected: expectOutcomes(content) };
  } catch (error) {
    throw new DemoFailure(`${file.pathname} is no bulk request: ${String(error).replaceAll(/\s+/g, ' ')}`);
  }
}

function machineOf(request: unknown): string {
  const machineId =
    typeof request === 'object' && request !== null ? Reflect.get(request, 'machineId') : undefined;
  return typeof machineId === 'string' ? machineId : '–';
}
