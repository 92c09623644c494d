import type { InvestigationItem } from '@diq/contracts/investigation-item.ts';
import { machineKeyOf, type NamedMachine } from '@diq/contracts/machine-name.ts';
import type { OperationProfile } from '@diq/contracts/operations/profile.ts';

/** What the operation of a queue says of requests that share a call. */
export type Sharing = Pick<OperationProfile, 'coalescingKey' | 'isReusable' | 'resultKind' | 'order'>;

/** What one call tells its outcome to, in one script: some 50 ms of Redis' time. */
export const defaultMaxJoined = 5_000;

/** Of operations without parameters that start an investigation. */
export const byMachineAlone: Sharing = {
  coalescingKey: () => '',
  isReusable: true,
  resultKind: 'investigation',
};

/** Requests with the same text share a call: the machine, and of an operation with parameters what it says of them. */
export function coalescingKeyOf(
  item: NamedMachine & Pick<InvestigationItem, 'parameters'>,
  { coalescingKey }: Sharing,
): string {
  const own = coalescingKey(item.parameters ?? {});
  const machine = machineKeyOf(item);
  return own === '' ? machine : `${machine}:${own}`;
}

/** Of a request with a place in the order of its machine: what has another place is another call, see `machine-order/`. */
export function keyAtPlace(key: string, place: string | undefined): string {
  return place === undefined ? key : `${key}:${place}`;
}

/** What a key was before `keyAtPlace`. */
export const keyWithoutPlace = (key: string, place: string): string => key.slice(0, -place.length - 1);
