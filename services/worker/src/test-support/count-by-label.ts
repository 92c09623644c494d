import type { Counter } from 'prom-client';

/** A counter's values that are not zero, by the value of its only label. */
export async function countByLabel(counter: Counter): Promise<Record<string, number>> {
  const { values } = await counter.get();
  return Object.fromEntries(
    values
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => [String(Object.values(labels)[0]), value]),
  );
}
