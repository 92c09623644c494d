import { maxBatchItems } from '@diq/contracts/investigation-batch.ts';

/** An offset in a form that callers hand back and do not reckon with. */
export function writeCursor(offset: number): string {
  return Buffer.from(`offset ${offset}`).toString('base64url');
}

/** The offset in a cursor; `undefined` for what `writeCursor` has not written. */
export function readCursor(cursor: string): number | undefined {
  const offset = Number(/^offset (\d{1,5})$/.exec(Buffer.from(cursor, 'base64url').toString())?.[1]);
  return offset <= maxBatchItems && writeCursor(offset) === cursor ? offset : undefined;
}
