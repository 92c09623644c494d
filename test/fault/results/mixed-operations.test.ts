import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { request } from 'undici';
import { profileOf, type OperationName } from '@diq/contracts/operations/index.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { openTenantsWorld, type TenantSite, type TenantsWorld } from '../../end-to-end/support/tenants.ts';
import { createRandom } from '../random.ts';
import { openSimulatorLog, type SimulatorLog } from '../simulator-log.ts';
import type { AskedRequest, ShownRequest } from './asked.ts';
import { judgeOrder } from './judge-order.ts';
import { intentOf, judgeResults, mostWithin } from './judge-results.ts';
import { familyOf, mixed, parametersOf } from './plan.ts';
import { readShown } from './read-shown.ts';
import { readTruth } from './truth.ts';

/** MIXED_OPERATIONS=500 npx mocha test/fault/results/mixed-operations.test.ts */
const count = Number(process.env['MIXED_OPERATIONS'] ?? 60);
const seed = 11;
const calls = 5;
const windowMs = 1_000;
/** Half of Defender's 100 a minute and 1,500 an hour, which is the default share. */
const readLimits = [
  { calls: 50, windowMs: 60_000 },
  { calls: 750, windowMs: 3_600_000 },
];

interface Tenant {
  name: string;
  site: TenantSite;
  log: SimulatorLog;
  asked: AskedRequest[];
  unknownMachines: Set<string>;
}

describe(`${count} mixed operations of two tenants`, function () {
  this.timeout(30_000 + count * 1_500);
  const redis = useEmbeddedRedis();
  const random = createRandom(seed);
  const apiKey = randomBytes(24).toString('base64url');
  const tenants: Tenant[] = [];
  let world: TenantsWorld;
  let port: number;

  before('start intake, workers and a Defender for each tenant', async () => {
    world = await openTenantsWorld(redis.url);
    for (const name of ['contoso', 'fabrikam']) {
      const site = await world.addSite(name, calls, windowMs, {
        SIMULATOR_ACTION_TIME: '600ms',
        SIMULATOR_ACTION_PENDING_TIME: '100ms',
        SIMULATOR_ACTION_EXPIRY: '4s',
        SIMULATOR_INVESTIGATION_TIME: '2s',
        SIMULATOR_LIMIT: '1000',
        SIMULATOR_ACTIONS_PER_MINUTE: '10000',
        SIMULATOR_ACTIONS_PER_HOUR: '10000',
        SIMULATOR_LIVE_RESPONSES_PER_MINUTE: '10000',
      });
      const log = await openSimulatorLog(site.entry.origin, site.caFile);
      tenants.push({ name, site, log, asked: [], unknownMachines: new Set() });
    }
    await world.writeTenants(tenants.map(({ site }) => ({ ...site.entry, operations: mixed })));
    const env = { FOLLOW_UP_EVERY: '1s', DEFENDER_CALL_TIMEOUT: '1s', DEFENDER_RECONCILE_GRACE: '3s' };
    const [intake] = await Promise.all([
      world.startIntake({
        INTAKE_API_KEYS: `test:submit+respond+read:${createHash('sha256').update(apiKey).digest('hex')}:*`,
        INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
      }),
      world.startWorker(env),
      world.startWorker(env),
    ]);
    port = intake.ready.port;
  });
  after(async () => {
    await Promise.all(tenants.map(({ log }) => log.close()));
    await world?.close();
  });

  async function post({ name, asked }: Tenant, planned: { operation: OperationName; machineId: string }) {
    const comment = `${name} ${asked.length}: ${planned.operation}`;
    const postedAtMs = Date.now();
    // On a busy machine Redis may not answer in time: asked again as a caller does.
    const headers = {
      authorization: `Bearer ${apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    };
    const send = async () => {
      const body = JSON.stringify({ ...planned, comment });
      const url = `http://127.0.0.1:${port}/v1/tenants/${name}/requests`;
      const { statusCode, body: answered } = await request(url, { method: 'POST', headers, body });
      return { statusCode, body: (await answered.json()) as { id: string } };
    };
    const { statusCode, body } = await waitFor(
      async () => {
        const answer = await send();
        return answer.statusCode !== 503 && answer;
      },
      { what: 'an answer to a POST', timeoutMs: 30_000, intervalMs: 500 },
    );
    assert.equal(statusCode, 202, JSON.stringify(body));
    const { operation, machineId } = planned;
    const family = familyOf(operation);
    const acknowledgedAtMs = Date.now();
    asked.push({ id: body.id, operation, family, machineId, comment, postedAtMs, acknowledgedAtMs });
  }

  /** Contrary and equal acts on a few machines, of which some are offline and some are unknown, and calls whose answers get lost. */
  async function submit(tenant: Tenant): Promise<void> {
    const { control } = tenant.site;
    const machines = Array.from({ length: Math.ceil(count / 12) }, () => `a${random.hex(39)}`);
    for (const id of machines.slice(0, Math.ceil(machines.length / 10)))
      await control.addMachine({ id, healthStatus: 'Inactive' });
    for (const action of [{ kind: 'hang', made: true }, { kind: 'delay', ms: 1_200 }, { kind: 'hang' }])
      await control.addFault({ target: 'start', times: Math.ceil(count / 60), action });
    const planned: { operation: OperationName; machineId: string }[] = [];
    for (let i = 0; i < count / 2; i += 1) {
      if (planned.length > 0 && random.chance(0.2)) {
        planned.push(random.pick(planned));
        continue;
      }
      const operation = mixed[i % mixed.length] ?? 'isolate';
      const isUnknown = random.chance(0.08);
      const machineId = isUnknown ? `dead${random.hex(36)}` : random.pick(machines);
      if (isUnknown) tenant.unknownMachines.add(machineId);
      const parameters = parametersOf(operation, random);
      planned.push({ operation, machineId, ...(parameters && { parameters }) });
    }
    for (const one of planned) await post(tenant, one);
  }

  async function untilEnded({ asked }: Tenant): Promise<Map<string, ShownRequest>> {
    const reachable = { intakeFleet: { members: [{ ready: { port } }] }, apiKey };
    const read = () =>
      readShown(
        reachable as never,
        asked.map(({ id }) => id),
      );
    return await waitFor(
      async () => {
        const shown = await read();
        const isOpen = ({ status, result }: ShownRequest) =>
          ['queued', 'dispatching'].includes(status) ||
          (status === 'started' && (result?.outcome ?? 'running') === 'running');
        return ![...shown.values()].some(isOpen) && shown;
      },
      { what: 'every result to end', timeoutMs: 25_000 + count * 1_200, intervalMs: 1_000 },
    );
  }

  it('reach their ends as Defender’s books have them, within all limits of calls and with a share of the reads', async () => {
    await Promise.all(tenants.map(submit));
    const summary: Record<string, number> = {};
    for (const tenant of tenants) {
      const { asked, log, unknownMachines } = tenant;
      const shown = await untilEnded(tenant);
      const [truth, actions, reads, wire, judgement] = await Promise.all([
        readTruth(log),
        log.actions(),
        log.reads(),
        log.calls(),
        log.judgement(),
      ]);
      const evidence = { asked, shown, truth, actions, reads, readLimits };
      const violations = judgeResults({ ...evidence, samples: [], delivered: undefined, crashes: [] });
      const order = judgeOrder({ asked, shown, judgement });
      assert.deepEqual([...violations, ...order.violations], []);

      const made = new Set(actions.map(({ requestorComment }) => intentOf(requestorComment)));
      for (const { id, comment, machineId, operation } of asked) {
        const { status = '', code = '' } = shown.get(id) ?? {};
        // What ran when Defender refused the call had ended when it was looked for.
        if (code === 'already_running')
          assert.ok(familyOf(operation as OperationName) === undefined, comment);
        else if (unknownMachines.has(machineId)) assert.ok(['failed', 'unknown'].includes(status), comment);
        else assert.ok(['started', 'unknown'].includes(status), `${comment}: ${status} ${code}`);
        // Where nothing was found Defender did nothing.
        if (status === 'unknown' && operation !== 'initiateInvestigation')
          assert.ok(!made.has(comment), comment);
        summary[status] = (summary[status] ?? 0) + 1;
      }
      for (const operation of mixed) {
        const path = profileOf(operation).path('m').split('/').at(-1);
        const times = wire.filter((call) => call.operation === path).map(({ atMs }) => atMs);
        assert.ok(times.length > 0, operation);
        assert.ok(mostWithin(times, windowMs) <= calls, `${operation}: over its limit`);
      }
      summary['calls'] = (summary['calls'] ?? 0) + wire.length;
      summary['reads'] = (summary['reads'] ?? 0) + reads.length;
      const most = mostWithin(
        reads.map(({ atMs }) => atMs),
        60_000,
      );
      summary['most reads of a tenant in a minute'] = Math.max(
        most,
        summary['most reads of a tenant in a minute'] ?? 0,
      );
      summary['pairs of contrary actions'] = (summary['pairs of contrary actions'] ?? 0) + order.pairs;
    }
    if (process.env['MIXED_OPERATIONS'] !== undefined) console.log(summary);
  });
});
