import { mostCandidates, type RequestError } from '@diq/contracts/request-document.ts';
import type { MachineWarning } from '@diq/contracts/machine-warnings.ts';
import type { Job, JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import type { LookStore } from '@diq/queue/tasks/look-store.ts';
import type { NameStore, UnresolvedTask } from '@diq/queue/tasks/name-store.ts';
import type { TaskStore } from '@diq/queue/tasks/task-store.ts';
import type { Logger } from '@diq/runtime/logging/logger.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';
import type { DefenderReader, Machine, Reading, Rows } from '../defender/defender-reader.ts';
import type { QueueMetrics } from '../observability/metrics.ts';
import { chooseRecord, type Chosen } from './choose-record.ts';
import { createReadPause } from './read-pause.ts';
import { isOfThisRead, unknownCode } from './see-machines.ts';

export interface NameLookupOptions {
  names: NameStore;
  looks: Pick<LookStore, 'record'>;
  tasks: Pick<TaskStore, 'endLooked'>;
  jobs: Pick<JobQueue, 'add'>;
  /** Moves the jobs of tasks that got a better place. */
  reposition(jobs: readonly Job[]): Promise<void>;
  /** Its reads use the part of the budget for what can be left out. */
  reader: Pick<DefenderReader, 'listMachines'>;
  tokens: Pick<TokenProvider, 'get' | 'renewAfterRejection'>;
  logger: Pick<Logger, 'info' | 'warn'>;
  metrics: Pick<QueueMetrics, 'slotsSaved'>;
}

export type NameLookup = ReturnType<typeof createNameLookup>;

/** A whole portion was taken: more wait, and other reads need the budget too. */
const portion = 20;
const afterPortionMs = 5_000;
const betweenMs = 1_000;

/**
 * Finds out which machines are meant where requests name them by DNS name or by their id in Entra ID: by one read for many. Until then
 * their tasks have no job, so no slot waits for a name. What is found gets its place; what is not, or is several, fails.
 */
export function createNameLookup(options: NameLookupOptions) {
  const { names, tokens, logger } = options;
  const pause = createReadPause(logger, 'looking up names of machines');
  let notBeforeMs = 0;
  let isClosed = false;
  let underWay: Promise<void> | undefined;

  async function lookUp(): Promise<void> {
    const { lookId, tasks } = await names.take();
    notBeforeMs = performance.now() + (tasks.length < portion ? betweenMs : afterPortionMs);
    if (tasks.length === 0) return;
    const got = await tokens.get();
    if (got.kind === 'unavailable') {
      const { retryAfterMs } = got;
      await waitFor(tasks, lookId, {
        reason: 'no_token',
        ...(retryAfterMs !== undefined && { retryAfterMs }),
      });
      return;
    }
    for (const by of ['computerDnsName', 'aadDeviceId'] as const) {
      const field = by === 'computerDnsName' ? 'machineName' : 'aadDeviceId';
      const some = tasks.filter((task) => task.field === field);
      if (some.length > 0) await lookUpBy(by, some, lookId, got.token);
    }
  }

  async function lookUpBy(
    by: 'computerDnsName' | 'aadDeviceId',
    tasks: readonly UnresolvedTask[],
    lookId: string,
    token: string,
  ): Promise<void> {
    const list = (some: readonly UnresolvedTask[]) =>
      options.reader.listMachines(token, { by, values: some.map(({ name }) => name) });
    const all = wordOf(await list(tasks));
    const isRefused = all.kind === 'unreadable' && tasks.length > 1 && isOfThisRead(all);
    for (const task of tasks) {
      const found = isRefused ? wordOf(await list([task])) : all;
      if (found.kind !== 'read') {
        if (found.kind === 'unreadable' && found.reason === 'token_rejected')
          await tokens.renewAfterRejection(token);
        const left = tasks.slice(tasks.indexOf(task));
        await waitFor(left, lookId, found.kind === 'unreadable' ? found : { reason: 'unexpected_answer' });
        return;
      }
      const records = found.value.records.filter((one) => one[by]?.toLowerCase() === task.name);
      await conclude(task, lookId, chooseRecord(records), options);
    }
    pause.worked();
  }

  /** Says on the requests why they wait. */
  async function waitFor(
    tasks: readonly UnresolvedTask[],
    lookId: string,
    failure: Parameters<typeof pause.failed>[0],
  ): Promise<void> {
    pause.failed(failure);
    const warnings = [warningFor(failure.reason)];
    await options.looks.record(
      lookId,
      tasks.map(({ id }) => ({ taskId: id, warnings, isUncovered: false })),
    );
  }

  return {
    /** Begins a look-up if names wait for one. Never rejects, and is waited for by nothing. */
    attend(unresolved: number): void {
      if (isClosed || underWay || unresolved === 0 || !pause.isOver() || performance.now() < notBeforeMs)
        return;
      underWay = lookUp()
        .catch((error: unknown) => {
          notBeforeMs = performance.now() + betweenMs;
          logger.warn({ err: error }, 'looking up names of machines failed, will be repeated');
        })
        .finally(() => (underWay = undefined));
    },
    /** Begins nothing more and waits for what is under way, whose reads end with their reader. */
    async close(): Promise<void> {
      isClosed = true;
      await underWay;
    },
  };
}

/** What Defender says of these names: a list is its word as a whole, or not at all. */
function wordOf(reading: Reading<Rows<Machine>>): Reading<Rows<Machine>> {
  // It knows none that was seen lately.
  if (reading.kind === 'not_found' && reading.errorCode === unknownCode)
    return { kind: 'read', value: { records: [], odd: [] } };
  // A row that cannot be read may be the machine that is meant.
  if (reading.kind === 'read' && reading.value.odd.length > 0)
    return { kind: 'unreadable', reason: 'unexpected_answer' };
  return reading.kind === 'not_found'
    ? { kind: 'unreadable', reason: 'unexpected_answer', httpStatus: 404 }
    : reading;
}

function warningFor(reason: string): MachineWarning {
  if (reason === 'paced') return 'name_reads_used_up';
  return reason === 'not_allowed' ? 'name_reads_forbidden' : 'name_reads_failing';
}

async function conclude(
  { id, name }: UnresolvedTask,
  lookId: string,
  chosen: Chosen,
  { names, tasks, jobs, reposition, logger, metrics }: NameLookupOptions,
): Promise<void> {
  if (chosen.kind === 'chosen') {
    const { machineId } = chosen;
    const found = await names.resolve(id, lookId, machineId);
    if (found.kind === 'resolved') await jobs.add([found]);
    if (found.kind === 'joined' && found.jobPriority > 0) await reposition([found]);
    logger.info(
      { taskId: id, machineName: name, machineId, outcome: found.kind },
      'name of a machine looked up',
    );
    return;
  }
  const isUnknown = chosen.kind === 'none';
  const settlement = { status: 'failed', error: errorFor(chosen), attempts: 0 } as const;
  const look = isUnknown ? { lookId, saving: 'machine_unknown' as const } : { lookId };
  const { moved } = await tasks.endLooked(id, settlement, look);
  if (!moved) return;
  if (isUnknown) metrics.slotsSaved.inc({ reason: 'machine_unknown' });
  logger.info({ taskId: id, machineName: name, outcome: chosen.kind }, 'name of a machine looked up');
}

function errorFor({ kind, candidates }: Exclude<Chosen, { kind: 'chosen' }>): RequestError {
  const shown = candidates.slice(0, mostCandidates).map(({ id, healthStatus, lastSeenMs }) => ({
    machineId: id,
    ...(healthStatus !== undefined && { healthStatus }),
    ...(lastSeenMs !== undefined && { lastSeen: new Date(lastSeenMs).toISOString() }),
  }));
  const some = shown.length > 0 ? { candidates: shown } : {};
  if (kind === 'several') {
    const message = 'Several active machines of Defender have this name. Ask for one of them by its id.';
    return { code: 'machine_name_ambiguous', message, ...some };
  }
  const message =
    shown.length > 0
      ? 'No active machine of Defender has this name. Ask for one of these by its id, if it is meant.'
      : 'No machine that Defender has seen lately has this name.';
  return { code: 'machine_name_unknown', message, ...some };
}
