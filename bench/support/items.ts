import { randomBytes } from 'node:crypto';

/** What is asked in all measurements: an item as a SOAR platform sends it. */
export interface Item {
  machineId: string;
  comment: string;
  priority: 'medium';
}

/** Items for as many machines that no earlier item names. */
export function newItems(count: number): Item[] {
  return Array.from({ length: count }, () => ({
    machineId: randomBytes(20).toString('hex'),
    comment: 'INC-4711: suspicious logon from a country that was never seen before',
    priority: 'medium',
  }));
}
