import { closeSync, fstatSync, openSync, readFileSync, type Stats } from 'node:fs';
import { constants, open } from 'node:fs/promises';

/** The path leads to a pipe or a device, or to more than is read. */
export class NoRegularFileError extends Error {
  constructor(fault: 'is no regular file' | 'is too large') {
    super(`the file ${fault}`);
    this.name = 'NoRegularFileError';
  }
}

/**
 * The bytes of a file that others can replace while the process runs. To open a pipe waits for its other end, on one of the few
 * threads that all files share, and a device has no end.
 *
 * @throws NoRegularFileError  @throws Error with Node's `code` where it cannot be read
 */
export async function readRegularFile(path: string, maxBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    check(await file.stat(), maxBytes);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** The same at a start, which waits for it. @throws as `readRegularFile` */
export function readRegularFileSync(path: string, maxBytes: number): Buffer {
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    check(fstatSync(file), maxBytes);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function check(found: Stats, maxBytes: number): void {
  // Reading a folder says so itself.
  if (found.isDirectory()) return;
  if (!found.isFile()) throw new NoRegularFileError('is no regular file');
  if (found.size > maxBytes) throw new NoRegularFileError('is too large');
}
