import { setImmediate as afterOthers } from 'node:timers/promises';

/** Does this for each, in their order, and after so many of them lets everything else have its turn. Ends with the first error. */
export async function inSlices<Item>(
  items: Iterable<Item>,
  atOnce: number,
  act: (item: Item, index: number) => void,
): Promise<void> {
  let index = 0;
  for (const item of items) {
    if (index > 0 && index % atOnce === 0) await afterOthers();
    act(item, index);
    index += 1;
  }
}
