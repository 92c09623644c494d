/**
 * A heap of entries by the time at which they are due. An entry whose own time has changed is put in anew; the place that it
 * had is passed over.
 */
export function createDueHeap<T extends { dueMs: number }>() {
  const heap: { entry: T; dueMs: number }[] = [];
  const at = (i: number): number => heap[i]?.dueMs ?? Infinity;

  function swap(i: number, k: number): void {
    const [one, other] = [heap[i], heap[k]];
    if (one && other) [heap[i], heap[k]] = [other, one];
  }

  function pop() {
    const [first] = heap;
    const last = heap.pop();
    if (heap.length > 0 && last) {
      heap[0] = last;
      for (let i = 0, least = 0; ; i = least) {
        for (const child of [2 * i + 1, 2 * i + 2]) if (at(child) < at(least)) least = child;
        if (least === i) break;
        swap(i, least);
      }
    }
    return first;
  }

  function first() {
    while (heap[0] && heap[0].dueMs !== heap[0].entry.dueMs) pop();
    return heap[0];
  }

  return {
    push(entry: T, dueMs: number): void {
      heap.push({ entry, dueMs });
      for (
        let i = heap.length - 1, parent = (i - 1) >> 1;
        i > 0 && at(i) < at(parent);
        parent = (i - 1) >> 1
      ) {
        swap(i, parent);
        i = parent;
      }
    },
    firstMs: (): number => first()?.dueMs ?? Infinity,
    takeDue(untilMs: number): T | undefined {
      if ((first()?.dueMs ?? Infinity) > untilMs) return undefined;
      return pop()?.entry;
    },
  };
}
