import { setTimeout as delay } from 'node:timers/promises';
import { queueTagIn, queueTagOf } from '@diq/contracts/queue-tag.ts';
import type { ServiceProcess } from '@diq/runtime/processes/spawn-service.ts';
import { alternate, type BenchContext } from '../support/context.ts';
import { ratePerSecond, type LoadPlan } from '../support/load.ts';
import { factorRow, type Row } from '../support/row.ts';
import { targetOf } from '../support/world.ts';
import { requestsPath } from './phases.ts';
import { namedIn, operations, type BenchQueue } from './queues-world.ts';

/** An intake, the queues it serves and ids of requests in them. */
export interface Side {
  intake: ServiceProcess;
  queues: readonly BenchQueue[];
  ids: readonly string[];
}

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
  const gets = (side: Side) => {
    const tags = new Set(ofBoth(side).map(({ keySpace }) => queueTagOf(keySpace)));
    const asked = side.ids.filter((id) => tags.has(queueTagIn(id)));
    return { paths: asked.map((id) => `/v1/requests/${id}`) };
  };
  const { many, one } = sides;
  const rows: Row[] = [];
  try {
    for (const [what, plan] of [
      ['POST /v1/tenants/{name}/requests', posts],
      ['GET /v1/requests/{id}', gets],
    ] as const) {
      const steps = { many: () => ask(many, one, plan(many)), one: () => ask(one, many, plan(one)) };
      await steps.one();
      await steps.many();
      const values = await alternate({ say }, what, rounds, steps);
      const series = (side: string, perAnswer: number[]) => ({ what: side, unit: 'ms', rounds: perAnswer });
      const named = `${what}, 32 connections`;
      rows.push(factorRow(named, series('per answer', values.many), series('one queue', values.one), 1.25));
    }
  } finally {
    for (const { intake } of [many, one]) intake.kill('SIGCONT');
  }
  return rows;
}
