import type { Readable } from './test-metrics.ts';

const ofQueue = ['tenant', 'operation'];

/** A counter's values that are not zero, by the value of its only label beside those of the queue. */
export async function countByLabel(counter: Readable): Promise<Record<string, number>> {
  const { values } = await counter.get();
  return Object.fromEntries(
    values.flatMap(({ labels, value }) => {
      const [own] = Object.entries(labels).filter(([name]) => !ofQueue.includes(name));
      return value > 0 && own ? [[String(own[1]), value]] : [];
    }),
  );
}
