import type { Redis } from 'ioredis';
import { z } from 'zod';
import type { Priority } from '@diq/contracts/priority.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import type { RequestStatus } from '@diq/contracts/status.ts';
import { loadScript, whenFull } from '@diq/quota/script.ts';
import { auditScriptFile, entryOf } from './audit-log.ts';
import type { Actor } from './audit-log.ts';
import type { MovedRequests } from './dispatch-store.ts';
import { createTicketLift } from './lift-tickets.ts';
import { flowOf } from './order.ts';
import type { OrderRules } from './order.ts';
import { movingKeys, storeKeys } from './store-keys.ts';
import { docFields, joinDoc } from './stored-doc.ts';
import { askedFor } from './stored-request.ts';
import type { TicketQueue } from './ticket-queue.ts';

/** Done, or what the request is instead of queued. */
export type LeverAnswer =
  | { kind: 'done' }
  | { kind: 'not-queued'; status: RequestStatus }
  | { kind: 'missing' }
  | { kind: 'changed-too-often' };

/** What may be changed of a request; `null` takes a deadline away. */
export interface RequestChange {
  priority?: Priority | undefined;
  /** ISO 8601 in UTC, in the future. */
  notAfter?: string | null | undefined;
}

/** What can be done to one request while it is queued. Each is one script, and leaves its entry in the record. */
/** Each change leaves an entry in the record, which is kept for long. */
export const maxChanges = 20;

export interface RequestLevers {
  /** Takes it out of its dispatch; with the last request the dispatch and its ticket go. */
  cancel(id: string, actor: Actor): Promise<LeverAnswer>;
  change(id: string, change: RequestChange, actor: Actor): Promise<LeverAnswer>;
  /** Its dispatch goes next, before all that were moved to the head earlier. */
  moveToHead(id: string, actor: Actor): Promise<LeverAnswer>;
}

export interface RequestLeversOptions {
  redis: Redis;
  keySpace: string;
  tickets: Pick<TicketQueue, 'remove' | 'setRanks'>;
  order: OrderRules;
  retentionMs: number;
  /** How long entries of the record are kept. */
  auditKeptMs: number;
  onMoved?: ((move: MovedRequests) => void) | undefined;
}

const scriptFile = (name: string) => new URL(`./lua/${name}.lua`, import.meta.url);
const leverScript = (...names: string[]) =>
  loadScript(
    whenFull,
    scriptFile('indexes'),
    scriptFile('stored-bytes'),
    scriptFile('detach'),
    auditScriptFile,
    ...names.map(scriptFile),
  );
const cancelScript = leverScript('cancel');
const changeScript = leverScript('order', 'change');
const headScript = leverScript('move-to-head');
const reply = z.tuple([
  z.enum(['cancelled now', 'changed', 'moved', 'outdated', 'worn', 'missing', ...requestStatuses]),
  z.string(),
  z.number(),
]);

export function createRequestLevers(options: RequestLeversOptions): RequestLevers {
  const { redis, keySpace, tickets, order, retentionMs, auditKeptMs, onMoved } = options;
  const keys = storeKeys(keySpace);
  const moveTickets = createTicketLift(redis, keySpace, tickets);

  async function ask(script: typeof cancelScript, ...args: (string | number)[]) {
    const [kind, dispatchId, number] = reply.parse(
      await script(redis, movingKeys(keySpace), [keySpace, retentionMs, ...args, auditKeptMs]),
    );
    return { kind, dispatchId, number };
  }

  return {
    async cancel(id, actor) {
      const entry = JSON.stringify(entryOf('cancel', actor, { requestId: id }));
      const { kind, dispatchId, number: hasEnded } = await ask(cancelScript, id, entry);
      if (kind !== 'cancelled now') return refusalOf(kind);
      onMoved?.({ requestIds: [id], from: 'queued', status: 'cancelled', dispatchId });
      if (hasEnded === 1) await tickets.remove(dispatchId);
      return { kind: 'done' };
    },
    async change(id, change, actor) {
      const entry = JSON.stringify(entryOf('change', actor, { requestId: id, change }));
      for (;;) {
        const [caller, caller1, ...parts] = await redis.hmget(
          keys.request(id),
          'caller',
          'caller1',
          ...docFields,
        );
        const known = joinDoc(parts);
        if (known === null) return { kind: 'missing' };
        // It keeps to the turns of whoever asked for it, not of whoever changes it.
        const whose = caller ? caller + (caller1 ?? '') : actor.name;
        const { doc, notAfterMs, turn, arrivedAtMs } = changed(known, change, whose);
        const args = [
          id,
          known,
          doc,
          notAfterMs ?? '',
          turn,
          arrivedAtMs,
          JSON.stringify(order),
          entry,
          maxChanges,
        ];
        const { kind, dispatchId, number: rank } = await ask(changeScript, ...args);
        if (kind === 'outdated') continue;
        if (kind === 'worn') return { kind: 'changed-too-often' };
        if (kind !== 'changed') return refusalOf(kind);
        await moveTickets([{ dispatchId, rank }]);
        return { kind: 'done' };
      }
    },
    async moveToHead(id, actor) {
      const entry = JSON.stringify(entryOf('move-to-head', actor, { requestId: id }));
      const { kind, dispatchId, number: rank } = await ask(headScript, id, entry);
      if (kind !== 'moved') return refusalOf(kind);
      await moveTickets([{ dispatchId, rank }]);
      return { kind: 'done' };
    },
  };
}

function changed(known: string, { priority, notAfter }: RequestChange, caller: string) {
  const { notAfter: oldDeadline, ...asked } = askedFor.parse(JSON.parse(known));
  const deadline = notAfter === undefined ? oldDeadline : (notAfter ?? undefined);
  return {
    doc: JSON.stringify({
      ...asked,
      ...(priority === undefined ? {} : { priority }),
      ...(deadline === undefined ? {} : { notAfter: deadline }),
    }),
    notAfterMs: deadline === undefined ? undefined : Date.parse(deadline),
    turn: flowOf(asked.source, caller),
    arrivedAtMs: asked.at,
  };
}

function refusalOf(kind: z.output<typeof reply>[0]): LeverAnswer {
  if (kind === 'missing') return { kind };
  const status = requestStatuses.find((one) => one === kind);
  if (status === undefined) throw new Error(`a lever was answered '${kind}'`);
  return { kind: 'not-queued', status };
}
