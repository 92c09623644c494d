import { setTimeout as delay } from 'node:timers/promises';
import { queueTagIn, queueTagOf } from '@diq/contracts/queue-tag.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { alternate, type BenchContext } from '../support/context.ts';
import { ratePerSecond, refuseFailures, type LoadPlan } from '../support/load.ts';
import { factorRow, type Row } from '../support/row.ts';
import { targetOf } from '../support/world.ts';
import { requestsPath, sendArrivals } from './phases.ts';
import { namedIn, operations, type BenchQueue } from './queues-world.ts';

/** An intake, the queues it serves and ids of requests in them. */
export interface Side {
  intake: ServiceProcess;
  queues: readonly BenchQueue[];
  ids: readonly string[];
}

/** Of that many queues requests are read that wait, behind so many others. */
const [deepQueues, depth] = [200, 300];

/** For a process that was stopped, to do what it is behind with. */
const catchUpMs = 300;
const mostRounds = 5;

/**
 * POST and GET with many queues beside the same with one. Requests are posted and read of the operation that both have: what a
 * parameter costs is not what queues cost. The intake that is not asked stands still meanwhile.
 */
export async function compareIntakes(
  context: BenchContext,
  sides: Record<'many' | 'one', Side>,
): Promise<Row[]> {
  const { load, isQuick, say } = context;
  const rounds = Math.min(context.rounds, mostRounds);
  const common = { connections: 32, durationMs: isQuick ? 300 : 2_000 };
  const ask = async (own: Side, other: Side, plan: Pick<LoadPlan, 'paths' | 'post'>) => {
    other.intake.kill('SIGSTOP');
    own.intake.kill('SIGCONT');
    await delay(catchUpMs);
    return 1_000 / ratePerSecond(await load.run({ ...common, ...targetOf(own.intake), ...plan }));
  };
  const ofBoth = ({ queues }: Side) => queues.filter(({ operation }) => operation === operations[0]);
  const posts = (side: Side) => {
    const asked = ofBoth(side);
    return { paths: asked.map(requestsPath), post: { more: asked.map(namedIn) } };
  };
  const gets = (ids: readonly string[]) => ({ paths: ids.map((id) => `/v1/requests/${id}`) });
  const ended = (side: Side) => {
    const tags = new Set(ofBoth(side).map(({ keySpace }) => queueTagOf(keySpace)));
    return gets(side.ids.filter((id) => tags.has(queueTagIn(id))));
  };
  const { many, one } = sides;
  const rows: Row[] = [];
  async function compare(what: string, plan: (side: Side) => Pick<LoadPlan, 'paths' | 'post'>) {
    const steps = { many: () => ask(many, one, plan(many)), one: () => ask(one, many, plan(one)) };
    await steps.one();
    await steps.many();
    const values = await alternate({ say }, what, rounds, steps);
    const series = (side: string, perAnswer: number[]) => ({ what: side, unit: 'ms', rounds: perAnswer });
    const named = `${what}, 32 connections`;
    rows.push(factorRow(named, series('per answer', values.many), series('one queue', values.one), 1.25));
    for (const { intake } of [many, one]) intake.kill('SIGCONT');
  }
  try {
    await compare('POST /v1/tenants/{name}/requests', posts);
    await compare('GET /v1/requests/{id}', ended);
    const waiting = new Map<Side, string[]>();
    for (const side of [many, one]) waiting.set(side, await deepen(context, side, ofBoth(side)));
    await compare('GET /v1/requests/{id} of those that wait', (side) => gets(waiting.get(side) ?? []));
  } finally {
    for (const { intake } of [many, one]) intake.kill('SIGCONT');
  }
  return rows;
}

/** Has requests wait in some of these queues, and more behind them, of which it returns the ids. */
async function deepen(
  { load, isQuick }: BenchContext,
  { intake }: Side,
  queues: readonly BenchQueue[],
): Promise<string[]> {
  const deep = queues.slice(0, deepQueues);
  const filled = await load.run({
    ...targetOf(intake),
    paths: deep.map(({ tenant }) => `/v1/tenants/${tenant.name}/batches`),
    connections: 2,
    durationMs: 0,
    times: deep.length,
    post: { itemsPerBatch: isQuick ? 20 : depth, more: deep.map(namedIn) },
  });
  refuseFailures(filled);
  return sendArrivals(load, intake, deep, isQuick ? 20 : 2 * deepQueues);
}
