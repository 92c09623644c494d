import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { createTaskStore, type TaskStore } from '@diq/queue/tasks/task-store.ts';
import { createJobQueue, type JobQueue } from '@diq/queue/scheduling/job-queue.ts';
import { createLedger, type Ledger } from '@diq/quota/ledger/ledger.ts';
import { createLifecycle, type Lifecycle } from '@diq/runtime/processes/lifecycle.ts';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import type { Env } from '@diq/runtime/settings/read-settings.ts';
import { closeRedis, openFailFastConnection, waitUntilReady } from '@diq/redis/connection.ts';
import { queuesOf } from '@diq/tenants/tenant.ts';
import { readIntakeSettings } from '../config/config.ts';
import { openIntake } from '../open-intake.ts';
import { keys, keySetting } from './credentials.ts';
import { expectDocumented } from './expect-documented.ts';

/**
 * The real app on a real port, with a key space of its own in the Redis it was given. Every answer that a test gets out of
 * it must be one that the OpenAPI document promises.
 */
export interface IntakeUnderTest {
  readonly url: string;
  /** What it logged, as parsed lines. */
  readonly log: readonly Record<string, unknown>[];
  /** Moves tasks and spends permits the way a worker does. */
  readonly tasks: TaskStore;
  readonly ledger: Ledger;
  readonly jobs: JobQueue;
  /** Without a credential. */
  anonymously(): ReturnType<typeof request>;
  /** With a key that may submit and read. */
  get(path: string): request.Test;
  post(path: string, body: object): request.Test;
  /** With this key. */
  as(
    key: keyof typeof keys,
    method: 'get' | 'post' | 'patch' | 'delete',
    path: string,
    body?: object,
  ): request.Test;
  /** Sends these very bytes. */
  postRaw(path: string, body: string | Buffer, headers?: Readonly<Record<string, string>>): request.Test;
}

interface Opened {
  url: string;
  log: Record<string, unknown>[];
  tasks: TaskStore;
  ledger: Ledger;
  jobs: JobQueue;
}

/** The Redis that the intake is given; `isAway` where none is expected to answer. */
export interface RedisForIntake {
  readonly url: string;
  readonly isAway?: boolean;
}

/** Call inside a `describe`, after what provides Redis. Readable from the suite's `before` hooks on. */
export function useIntake(
  redis: RedisForIntake,
  env: Env = {},
  options: IntakeOptions = {},
): IntakeUnderTest {
  let opened: Opened | undefined;
  let lifecycle: Lifecycle | undefined;
  const current = (): Opened => {
    if (!opened) throw new Error('the intake is there from the before hooks on');
    return opened;
  };

  before('open the intake', async () => {
    const log: Record<string, unknown>[] = [];
    const destination = {
      write: (line: string) => void log.push(JSON.parse(line) as Record<string, unknown>),
    };
    const logger = createLogger({ level: 'debug', service: 'intake-api', destination });
    lifecycle = createLifecycle({ logger, deadlineMs: 5_000 });
    const fail = (error: unknown) => assert.fail(String(error));
    opened = { ...(await open(redis, env, { ...options, logger, lifecycle, fail })), log };
  });
  after('close the intake', async () => {
    await lifecycle?.close('end of suite');
  });

  return {
    get url() {
      return current().url;
    },
    get log() {
      return current().log;
    },
    get tasks() {
      return current().tasks;
    },
    get ledger() {
      return current().ledger;
    },
    get jobs() {
      return current().jobs;
    },
    anonymously: () => asking(current().url),
    get: (path) => asking(current().url).get(path).set('X-API-Key', keys.playbook),
    postRaw: (path, body, headers = {}) =>
      asking(current().url)
        .post(path)
        .set({ 'X-API-Key': keys.playbook, 'Content-Type': 'application/json', ...headers })
        // superagent would make JSON of the bytes.
        .serialize((bytes: unknown) => bytes as string)
        .send(body),
    as(key, method, path, body) {
      const asked = asking(current().url)[method](path).set('X-API-Key', keys[key]);
      return body ? asked.send(body) : asked;
    },
    post: (path, body) => asking(current().url).post(path).set('X-API-Key', keys.playbook).send(body),
  };
}

/** Requests whose answers are held against the document. */
function asking(url: string): ReturnType<typeof request> {
  return new Proxy(request(url), {
    get: (methods, name) => (path: string) => methods[name as 'get'](path).expect(expectDocumented),
  });
}

type OpenOptions = Parameters<typeof openIntake>[0];
type OpenContext = Omit<OpenOptions, 'settings'>;
/** What an opened intake may be given beside its settings. */
export type IntakeOptions = Omit<OpenContext, 'logger' | 'lifecycle' | 'fail'>;

async function open({ url, isAway = false }: RedisForIntake, env: Env, context: OpenContext) {
  const settings = readIntakeSettings({
    REDIS_URL: url,
    INTAKE_PORT: '0',
    INTAKE_HOST: '127.0.0.1',
    ...(env['INTAKE_API_KEYS_FILE'] === undefined ? { INTAKE_API_KEYS: keySetting } : {}),
    // Tests look far more often than callers may.
    INTAKE_MAX_REQUESTS_PER_MINUTE: '0',
    AZURE_TENANT_ID: randomUUID(),
    ...env,
  });
  const { retentionMs, callTimeoutMs, tenants } = settings;
  const [queue] = tenants.flatMap(queuesOf);
  assert.ok(queue);
  const { keySpace } = queue;
  const waitForRedisMs = isAway ? 0 : 5_000;
  const intervals = { waitForRedisMs, ledgerMaxAgeMs: 0, pollIntervalMs: 20 };
  const { port } = await openIntake({ settings, ...intervals, ...context });
  const redis = openFailFastConnection({
    address: settings.redisAddress,
    name: 'test',
    logger: context.logger,
  });
  context.lifecycle.onClose('connection of the test', () => closeRedis(redis));
  const jobs = createJobQueue(redis, keySpace, () => {});
  context.lifecycle.onClose('queue of the test', () => jobs.close());
  const quotaLedger = createLedger(redis, keySpace, { limits: queue.limits, callTimeoutMs });
  if (!isAway) {
    await waitUntilReady(redis, 5_000);
    await quotaLedger.open();
    await quotaLedger.endColdStart();
    // The worker whose moves the test makes is alive, until the test says that it left.
    const pulse = setInterval(() => void quotaLedger.snapshot().catch(() => undefined), 1_000);
    context.lifecycle.onClose('pulse of the worker', () => clearInterval(pulse));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    tasks: createTaskStore(redis, keySpace, retentionMs),
    ledger: quotaLedger,
    jobs,
  };
}
