import { z } from 'zod';
import { machineId } from '@diq/contracts/investigation-item.ts';
import { readablePath } from '@diq/queue/questions/readable-path.ts';
import type { AskDefender } from './answer-reads.ts';
import { DefenderError } from './answer-as-defender.ts';
import { machineNotFound, namingOf } from './asked-operation.ts';

const found = z.object({ value: z.array(z.object({ id: machineId })) });

/**
 * The id of a machine that is named otherwise, for operations whose calls take turns on a machine: which one is meant must be
 * known when they are accepted. Takes a read of the tenant's budget.
 *
 * @throws DefenderError 404 for none, 400 for several, 429 while Defender cannot be asked
 */
export async function resolveMachine(machine: string, tenantId: string, ask: AskDefender): Promise<string> {
  const naming = namingOf(machine);
  if ('machineId' in naming) return naming.machineId;
  const filter =
    'aadDeviceId' in naming
      ? `aadDeviceId eq '${naming.aadDeviceId}'`
      : `computerDnsName eq '${naming.machineName}'`;
  const path = readablePath('/api/machines', { $filter: filter });
  if (path === undefined) throw machineNotFound(machine);
  const answer = await ask(tenantId, path);
  if (answer.kind === 'not_found') throw machineNotFound(machine);
  const { data } = found.safeParse(answer.kind === 'read' ? answer.body : undefined);
  if (!data) {
    const seconds = answer.kind === 'unavailable' ? Math.max(1, Math.ceil(answer.retryAfterMs / 1_000)) : 5;
    throw new DefenderError(429, 'TooManyRequests', 'Defender cannot be asked which machine is meant.', {
      headers: { 'Retry-After': String(seconds) },
    });
  }
  const [first, ...others] = data.value;
  if (!first) throw machineNotFound(machine);
  if (others.length > 0)
    throw new DefenderError(400, 'InvalidInput', `Several machines are named ${machine}: use the id of one.`);
  return first.id;
}
