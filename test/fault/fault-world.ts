import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster, Redis } from 'ioredis';
import { keySpace as keySpaceOf } from '@diq/contracts/operations.ts';
import { openInSteps, type OnStop } from '@diq/testing/open-in-steps.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { startIntake, startSimulator, startWorker, stopAll } from '@diq/testing/service-process.ts';
import { createSimulatorControl, type SimulatorControl } from '../end-to-end/support/simulator-control.ts';
import { startFleet, type Fleet } from './fleet.ts';
import type { Lag } from './lag.ts';
import { oneNode, type FaultRedis, type RedisKind } from './redis/fault-redis.ts';
import { startRedis } from './redis/start-redis.ts';
import { openSimulatorLog, type SimulatorLog } from './simulator-log.ts';

export interface FaultWorldOptions {
  limit: number;
  windowMs: number;
  callTimeoutMs: number;
  workers: number;
  intakes: number;
  /** Default: one node. */
  redisKind?: RedisKind;
  /** Further settings of each service. */
  env?: Readonly<Partial<Record<'simulator' | 'worker' | 'intake', Readonly<Record<string, string>>>>>;
}

/** The whole system as it runs in production, on a Redis that writes each command to disk, and every way to break it. */
export interface FaultWorld extends Readonly<FaultWorldOptions> {
  /** How long after its permit was spent a call can be under way: the call timeout and what the worker adds to it. */
  readonly permitTimeoutMs: number;
  /** For how long Defender is asked what became of a call whose answer was lost, before anything follows from it. */
  readonly reconcileGraceMs: number;
  readonly keySpace: string;
  readonly apiKey: string;
  readonly workerFleet: Fleet;
  readonly intakeFleet: Fleet;
  readonly redis: FaultRedis;
  /** The harness' own connection, for commands that name keys of the queue. */
  readonly redisClient: Redis | Cluster;
  /** On one node: from now on all use this one, which lacks what happened within its lag. The one before is ended. */
  failOverTo(server: RedisServer, lag: Lag): Promise<void>;
  /** One for each failover. */
  readonly lags: readonly Lag[];
  readonly control: SimulatorControl;
  readonly simulatorLog: SimulatorLog;
  /** Counts something that a fault brought about, for the final table. */
  tally(what: string, times?: number): void;
  readonly tallies: ReadonlyMap<string, number>;
  /** `post`: a batch is sent to an intake. `burst`: wanted, so many batches without a pause. */
  readonly moments: EventEmitter<{ post: []; burst: [batches: number] }>;
  /** Erases everything in Redis, right after `beforeErasing` has seen what was there. */
  eraseAll(): Promise<void>;
  beforeErasing(snapshot: () => Promise<void>): void;
  /** Wall clock time up to which they may be gone; 0 for never. */
  forgottenUntilMs(): number;
  stop(): Promise<void>;
}

/** What a worker adds to the call timeout: `beginWithinMs` in services/worker/src/bootstrap/open-queue.ts. */
const beginWithinMs = 5_000;
/** Asked for while the search for a lost answer is on; long enough for the simulator, short enough for a run. */
const reconcileGraceMs = 3_000;

export function startFaultWorld(options: FaultWorldOptions): Promise<FaultWorld> {
  return openInSteps((onStop, stop) => open(options, onStop, stop));
}

async function open(
  options: FaultWorldOptions,
  onStop: OnStop,
  stop: () => Promise<void>,
): Promise<FaultWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'diq-fault-'));
  onStop(() => rm(folder, { recursive: true, force: true }));
  const identity = { AZURE_TENANT_ID: randomUUID(), AZURE_CLIENT_ID: randomUUID() };
  const keySpace = keySpaceOf({ tenantId: identity.AZURE_TENANT_ID, operation: 'initiateInvestigation' });
  const redis = await startRedis(options.redisKind ?? 'single', keySpace, onStop);
  onStop(stopAll);

  const settings = settingsOf(options, identity, redis.env, join(folder, 'ca.pem'));
  const simulator = await startSimulator({ ...settings.simulator, ...options.env?.simulator });
  const { origin, caFile } = simulator.ready;
  const control = await createSimulatorControl(origin, caFile);
  onStop(() => control.close());
  const simulatorLog = await openSimulatorLog(origin, caFile);
  onStop(() => simulatorLog.close());
  const ofSimulator = {
    AZURE_AUTHORITY_HOST: origin,
    DEFENDER_BASE_URL: origin,
    NODE_EXTRA_CA_CERTS: caFile,
  };
  const [workerFleet, intakeFleet] = await Promise.all([
    startFleet('worker', options.workers, (env) =>
      startWorker({ ...settings.worker, ...ofSimulator, ...options.env?.worker, ...env }),
    ),
    startFleet('intake', options.intakes, (env) =>
      startIntake({ ...settings.intake, ...options.env?.intake, ...env }),
    ),
  ]);
  const killAll = () => {
    workerFleet.killAll();
    intakeFleet.killAll();
  };
  process.once('exit', killAll);
  onStop(async () => {
    await Promise.all([workerFleet.stop(), intakeFleet.stop()]);
    process.off('exit', killAll);
  });

  const tallies = new Map<string, number>();
  const lags: Lag[] = [];
  let forgottenUntilMs = 0;
  let lookBefore = async () => {};
  return {
    ...options,
    permitTimeoutMs: options.callTimeoutMs + beginWithinMs,
    reconcileGraceMs,
    keySpace,
    apiKey: settings.apiKey,
    workerFleet,
    intakeFleet,
    redis,
    redisClient: redis.client,
    async failOverTo(server, lag) {
      lags.push(lag);
      await oneNode(redis).moveTo(server);
    },
    lags,
    control,
    simulatorLog,
    tally: (what, times = 1) => void tallies.set(what, (tallies.get(what) ?? 0) + times),
    tallies,
    moments: new EventEmitter(),
    beforeErasing: (snapshot) => void (lookBefore = snapshot),
    async eraseAll() {
      await lookBefore();
      await (await redis.holder()).flushall();
      forgottenUntilMs = Date.now();
    },
    forgottenUntilMs: () => forgottenUntilMs,
    stop,
  };
}

function settingsOf(
  { limit, windowMs, callTimeoutMs }: FaultWorldOptions,
  identity: { AZURE_TENANT_ID: string; AZURE_CLIENT_ID: string },
  redisEnv: Readonly<Record<string, string>>,
  caFile: string,
) {
  const apiKey = randomBytes(24).toString('base64url');
  const clientSecret = randomBytes(24).toString('base64url');
  const common = {
    AZURE_TENANT_ID: identity.AZURE_TENANT_ID,
    DEFENDER_CALLS_PER_WINDOW: String(limit),
    DEFENDER_WINDOW: `${windowMs}ms`,
    DEFENDER_CALL_TIMEOUT: `${callTimeoutMs}ms`,
    ...redisEnv,
    LOG_LEVEL: 'info',
  };
  return {
    apiKey,
    simulator: {
      SIMULATOR_TENANT_ID: identity.AZURE_TENANT_ID,
      SIMULATOR_CLIENT_ID: identity.AZURE_CLIENT_ID,
      SIMULATOR_CLIENT_SECRET: clientSecret,
      // Never refuses by itself what the judge has to see: the limit is the judge's.
      SIMULATOR_LIMIT: String(100 * limit),
      SIMULATOR_WINDOW: `${windowMs}ms`,
      SIMULATOR_READS_PER_MINUTE: '100000',
      SIMULATOR_READS_PER_HOUR: '1000000',
      SIMULATOR_CA_FILE: caFile,
    },
    worker: {
      ...common,
      AZURE_CLIENT_ID: identity.AZURE_CLIENT_ID,
      AZURE_CLIENT_SECRET: clientSecret,
      DEFENDER_RECONCILE_GRACE: `${reconcileGraceMs}ms`,
      DEFENDER_ON_UNKNOWN: 'fail',
    },
    intake: {
      ...common,
      INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
      INTAKE_API_KEYS: `fault:submit+respond+read+admin:${createHash('sha256').update(apiKey).digest('hex')}`,
    },
  };
}
