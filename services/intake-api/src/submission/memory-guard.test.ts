import assert from 'node:assert/strict';
import { createLogger } from '@diq/runtime/logging/logger.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createMemoryGuard } from './memory-guard.ts';
import { ProblemError } from '../http/problem-error.ts';
import { expectProblem } from '../test-support/expect-problem.ts';
import { useIntakeOnRedisServer } from '../test-support/intake-on-redis-server.ts';
import { item } from '../test-support/items.ts';

const mebibyte = 1_024 * 1_024;

describe('an intake whose Redis is nearly full', () => {
  const suite = useIntakeOnRedisServer();
  const { intake } = suite;
  before('fill Redis, so that what the test itself adds is nothing beside it', () =>
    suite.admin.setrange('ballast', 100 * mebibyte, 'x'),
  );

  /** As much of `maxmemory` is in use from now on, and the intake knows. */
  async function use(share: number): Promise<void> {
    const used = Number(/used_memory:(\d+)/.exec(await suite.admin.info('memory'))?.[1]);
    await suite.admin.config('SET', 'maxmemory', String(Math.ceil(used / share)));
    const isSeen = async () => {
      const { text } = await intake.anonymously().get('/metrics');
      return Math.abs(Number(/^diq_redis_memory_ratio (\S+)$/m.exec(text)?.[1]) - share) < 0.005;
    };
    await waitFor(isSeen, { what: `the metric to tell ${share}` });
  }
  const readyz = () => intake.anonymously().get('/readyz').expect(200);

  it('takes new work below 80 %, and refuses it above with a code of its own, as a whole, and says so', async () => {
    await use(0.7);
    const { body } = await intake.post('/v1/investigations', item(1)).expect(202);
    assert.equal((await readyz()).body.checks.memory, undefined);

    await use(0.9);
    for (const [path, posted] of [
      ['/v1/investigations', item(2)],
      ['/v1/batches', { requests: [item(3), item(4)] }],
    ] as const) {
      const answer = await intake.post(path, posted);
      assert.match(expectProblem(answer, 'redis_full').detail ?? '', /\d+ % of its memory/);
      assert.ok(Number(answer.headers['retry-after']) > 0);
    }
    const { checks } = (await readyz()).body as { checks: Record<string, string> };
    assert.match(checks['memory'] ?? '', /new requests are refused from 80 % on/);
    assert.equal(await intake.tasks.countWaiting(), 1);

    await intake.get(`/v1/investigations/${body.id}`).expect(200);
    await intake.as('playbook', 'delete', `/v1/investigations/${body.id}`).expect(200);
    await use(0.5);
    await intake.post('/v1/investigations', item(2)).expect(202);
    assert.equal((await readyz()).body.checks.memory, undefined);
  });

  it('refuses a batch that would pass the bound by itself, and frees its Idempotency-Key', async () => {
    await use(0.79);
    const requests = Array.from({ length: 500 }, (_, n) => item(100 + n, { comment: 'x'.repeat(3_900) }));
    const post = () => intake.post('/v1/batches', { requests }).set('Idempotency-Key', 'large');
    expectProblem(await post(), 'redis_full');
    await use(0.1);
    const again = await post().expect(202);
    assert.equal(again.headers['idempotent-replayed'], undefined);
  });
});

describe('an intake whose Redis has no memory left', () => {
  const suite = useIntakeOnRedisServer();
  const { intake } = suite;
  const posts = [
    ['/v1/investigations', item(1)],
    ['/v1/batches', { requests: [item(2)] }],
  ] as const;

  it('says so with an Idempotency-Key too, and gives answers again', async () => {
    const withKey = (key: string) => async (path: string, body: object) =>
      intake.post(path, body).set('Idempotency-Key', key);
    for (const [path, body] of posts) assert.equal((await withKey('kept')(path, body)).status, 202);

    await suite.admin.config('SET', 'maxmemory', '1');
    const isSeen = async () => (await intake.post('/v1/investigations', item(3))).body.code === 'redis_full';
    await waitFor(isSeen, { what: 'its memory to be read' });
    for (const [path, body] of posts) {
      const refused = await withKey('new')(path, body);
      assert.match(expectProblem(refused, 'redis_full').detail ?? '', /100 % of its memory/);
      const again = await withKey('kept')(path, body);
      assert.deepEqual([again.status, again.headers['idempotent-replayed']], [202, 'true']);
    }

    await suite.admin.config('SET', 'maxmemory', '0');
    const isTaken = async () => (await withKey('new')('/v1/batches', posts[1][1])).status === 202;
    await waitFor(isTaken, { what: 'the key to be taken' });
  });
});

describe('the guard of the memory of Redis', () => {
  let lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  const logger = createLogger({ level: 'info', service: 'intake-api', destination });
  const guardOf = (info: () => Promise<string>, maxBacklog = 1_000) =>
    createMemoryGuard({ info }, { maxMemoryShare: 0.8, maxMemoryShareOfCaller: 0.4, maxBacklog }, logger);
  const telling =
    (used: number, max: number, buffers = 0) =>
    async () =>
      `# Memory\r\nused_memory:${used}\r\nmaxmemory:${max}\r\nmem_not_counted_for_evict:${buffers}\r\n`;
  beforeEach(() => {
    lines = [];
  });

  it('counts what was let in since the last reading', async () => {
    const guard = guardOf(telling(70 * mebibyte, 100 * mebibyte));
    await guard.refresh();
    guard.admit(6 * mebibyte);
    assert.throws(() => guard.admit(6 * mebibyte), ProblemError);
    guard.admit(3 * mebibyte);
    await guard.refresh();
    guard.admit(6 * mebibyte);
  });

  it('goes on counting what is let in while Redis is asked', async () => {
    let tell: ((text: string) => void) | undefined;
    const guard = guardOf(() => new Promise<string>((resolve) => (tell = resolve)));
    const tellNext = async (meanwhile: () => void) => {
      const reading = guard.refresh();
      meanwhile();
      tell?.(await telling(70 * mebibyte, 100 * mebibyte)());
      await reading;
    };
    await tellNext(() => undefined);
    await tellNext(() => guard.admit(6 * mebibyte));
    assert.throws(() => guard.admit(6 * mebibyte), ProblemError);
    await tellNext(() => undefined);
    guard.admit(6 * mebibyte);
  });

  it('leaves out what Redis does not hold against maxmemory itself', async () => {
    const guard = guardOf(telling(90 * mebibyte, 100 * mebibyte, 30 * mebibyte));
    await guard.refresh();
    assert.equal(guard.usedShare(), 0.6);
    guard.admit(19 * mebibyte);
    assert.throws(() => guard.admit(2 * mebibyte), ProblemError);
  });

  it('refuses nothing where there is no maxmemory, or it may not be read, and logs the latter once', async () => {
    const boundless = guardOf(telling(70 * mebibyte, 0));
    await boundless.refresh();
    boundless.admit(10 ** 12);
    assert.deepEqual([boundless.usedShare(), lines.length], [0, 0]);

    const noPermission = Object.assign(new Error("NOPERM no permissions to run the 'info' command"), {
      name: 'ReplyError',
    });
    const unreadable = guardOf(() => Promise.reject(noPermission));
    await unreadable.refresh();
    await unreadable.refresh();
    unreadable.admit(10 ** 12);
    assert.equal(lines.length, 1);
  });

  it('gives each caller its share of maxmemory, and no bound where there is none', async () => {
    const guard = guardOf(telling(mebibyte, 100 * mebibyte));
    assert.equal(guard.mostOfCaller(), undefined);
    await guard.refresh();
    assert.equal(guard.mostOfCaller(), 40 * mebibyte);
    const boundless = guardOf(telling(mebibyte, 0));
    await boundless.refresh();
    assert.equal(boundless.mostOfCaller(), undefined);
  });

  it('holds INTAKE_MAX_BACKLOG against maxmemory once that is known, in numbers', async () => {
    const fits = guardOf(telling(mebibyte, 768 * mebibyte), 50_000);
    await fits.refresh();
    assert.deepEqual(lines, []);
    const guard = guardOf(telling(mebibyte, 768 * mebibyte), 10_000_000);
    await guard.refresh();
    await guard.refresh();
    const first: Record<string, unknown> = lines[0] ?? {};
    const { level, maxBacklog, bytesPerRequest, needed, maxmemory, room } = first;
    assert.deepEqual(
      [lines.length, level, maxBacklog, bytesPerRequest, needed, maxmemory, room],
      [1, 'warn', 10_000_000, 1_900, 19_000_000_000, 768 * mebibyte, Math.floor(0.8 * 768 * mebibyte)],
    );
  });
});
