import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { requireRedisServer, startRedisServer } from '@diq/testing/redis-process.ts';
import type { RedisServer } from '@diq/testing/redis-process.ts';
import { waitFor } from '@diq/testing/wait-for.ts';
import { machineIds, startStack } from '../end-to-end/support/stack.ts';
import type { Stack } from '../end-to-end/support/stack.ts';

/** Shorter than any command to Redis may take: a scrape that waited for one would come too late. */
const scrapeTimeoutMs = 1_200;
const limit = 2;

describe('a scrape of intake and worker', function () {
  this.timeout(60_000);
  const machines = machineIds(limit + 1);
  const source = `source-${randomBytes(4).toString('hex')}`;
  let redis: RedisServer | undefined;
  let stack: Stack | undefined;

  before(requireRedisServer);
  before(async () => {
    redis = await startRedisServer({ appendOnly: true });
    stack = await startStack({ redisUrl: redis.url, limit, windowMs: 300_000, workers: 1 });
    const requests = machines.map((machineId) => ({ machineId, comment: 'scraped', source }));
    await stack.api.call('POST', '/v1/batches', { requests });
    await waitFor(
      async () => (await value('intake', 'diq_requests_ended_total{status="started"}')) === limit,
      {
        what: 'the calls of one window to be shown',
        timeoutMs: 20_000,
      },
    );
  });
  after(async () => {
    await stack?.stop();
    await redis?.stop();
  });

  async function scrape(service: 'intake' | 'worker'): Promise<string> {
    const [process] = (service === 'intake' ? stack?.intakes : stack?.workers) ?? [];
    const signal = AbortSignal.timeout(scrapeTimeoutMs);
    const response = await fetch(`http://127.0.0.1:${process?.ready.port}/metrics`, { signal });
    assert.equal(response.status, 200);
    return response.text();
  }

  /** Of the one queue there is, whichever labels name it. */
  async function value(service: 'intake' | 'worker', series: string): Promise<number | undefined> {
    const wanted = withoutQueue(series);
    const line = (await scrape(service))
      .split('\n')
      .find((text) => withoutQueue(text).startsWith(`${wanted} `));
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ')));
  }

  /** A series without the labels of its queue, and its value behind it. */
  function withoutQueue(series: string): string {
    const [, name = '', labels = '', rest = ''] = /^(\w+)(?:\{(.*)\})?(.*)$/.exec(series) ?? [];
    const own = labels.split(',').filter((label) => !/^(tenant|operation)="|^$/.test(label));
    return `${name}{${own.join(',')}}${rest}`;
  }

  const ageSeconds = async () => (await value('intake', 'diq_state_age_seconds')) ?? 0;

  /** Scrapes until the reading is this old, then looks what it shows. */
  async function showsLastValuesWithTheirAge(): Promise<void> {
    await waitFor(async () => (await ageSeconds()) > 3, {
      what: 'the age of the reading to rise',
      timeoutMs: 15_000,
    });
    assert.equal(await value('intake', 'diq_quota_used'), limit);
    assert.equal(await value('intake', 'diq_requests_open{status="queued"}'), machines.length - limit);
    assert.equal(await value('worker', 'diq_defender_calls_total{outcome="started"}'), limit);
    await countsWhatEnded();
  }

  async function countsWhatEnded(): Promise<void> {
    assert.equal(await value('intake', 'diq_requests_ended_total{status="started"}'), limit);
  }

  it('finds no machine, source or investigation in it', async () => {
    const { calls } = (await stack?.control.calls()) ?? { calls: [] };
    assert.equal(calls.length, limit);
    const text = (await scrape('intake')) + (await scrape('worker'));
    assert.match(text, /^diq_quota_used\{tenant="default",operation="initiateInvestigation"\} /m);
    for (const word of [...machines, source]) assert.ok(!text.includes(word), word);
    assert.doesNotMatch(text, /[{,](machine|source|id|caller)\w*="/);
  });

  it('is answered at once while Redis hangs, with the last values and their age', async () => {
    await redis?.kill('SIGSTOP');
    try {
      await showsLastValuesWithTheirAge();
    } finally {
      await redis?.kill('SIGCONT');
    }
    await waitFor(async () => (await ageSeconds()) < 3, { what: 'a new reading', timeoutMs: 15_000 });
  });

  it('is answered at once while Redis is gone, with the last values and their age', async () => {
    await redis?.kill('SIGKILL');
    await showsLastValuesWithTheirAge();
    await redis?.restart();
    await waitFor(async () => (await ageSeconds()) < 3, { what: 'a new reading', timeoutMs: 15_000 });
    await countsWhatEnded();
  });
});
