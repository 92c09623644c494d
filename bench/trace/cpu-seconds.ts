import { readFile } from 'node:fs/promises';

/** Linux counts processor time in hundredths of a second. */
const ticksPerSecond = 100;

/** Processor time of these processes so far, in seconds; 0 where it cannot be read. */
export async function cpuSecondsOf(
  pids: Readonly<Record<string, number | undefined>>,
): Promise<Record<string, number>> {
  const found = await Promise.all(
    Object.entries(pids).map(async ([name, pid]) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // What stands before is the name of the program, in brackets.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [name, (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / ticksPerSecond] as const;
    }),
  );
  return Object.fromEntries(found);
}
