import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { allOutput, forgetOutput } from '@diq/testing/service-process.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { machineIds, startStack } from './support/stack.ts';
import type { Stack } from './support/stack.ts';
import { spanKinds, startTraceCollector } from './support/trace-collector.ts';

const quota = { limit: 10, windowMs: 1_000, workers: 1 };
const callersTrace = '0af7651916cd43dd8448eb211c80319c';
const callersSpan = 'b7ad6b7169203331';
const traceparent = `00-${callersTrace}-${callersSpan}-01`;
const otherTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
const comment = 'Beacon seen on the laptop of the board';

async function post(stack: Stack, machines: readonly string[], headers: Record<string, string> = {}) {
  const response = await request(`${stack.api.origin}/v1/batches`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${stack.secrets.apiKey}`,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ requests: machines.map((machineId) => ({ machineId, comment })) }),
  });
  const { id } = (await response.body.json()) as { id: string };
  assert.equal(response.statusCode, 202);
  return id;
}

interface Line {
  msg: string;
  traceId?: string;
  requestId?: string;
  taskId?: string;
  from?: string;
  to?: string;
  outcome?: unknown;
}

const linesOf = (service: string): Line[] =>
  allOutput()
    .split('\n')
    .filter((line) => line.includes(`"service":"${service}"`))
    .map((line) => JSON.parse(line) as Line);

describe('a trace, with a collector', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  const key = 'key-of-the-collector-51c7';
  let stack: Stack;
  let collector: Awaited<ReturnType<typeof startTraceCollector>>;
  let calls: { machineId: string; traceparent?: string | undefined }[];
  const [machine = '', ...others] = machineIds(2);

  before(async () => {
    forgetOutput();
    collector = await startTraceCollector();
    stack = await startStack({
      redisUrl: redis.url,
      ...quota,
      workers: 0,
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.origin,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        // As the Compose file passes what is not set.
        OTEL_TRACES_SAMPLER: '',
        OTEL_TRACES_SAMPLER_ARG: '',
        OTEL_EXPORTER_OTLP_HEADERS: `x-api-key=${key}`,
      },
    });
    const batch = await post(stack, [machine], { traceparent, tracestate: 'congo=1' });
    await post(stack, [machine], { traceparent: `00-${otherTrace}-00f067aa0ba902b7-01` });
    const untraced = await post(stack, others);
    await stack.addWorker();
    await stack.api.untilCompleted(batch, 30_000);
    await stack.api.untilCompleted(untraced, 30_000);
    ({ calls } = await stack.control.calls());
    // What is left is sent when the services stop.
    await stack.stop();
  });
  after(() => collector.close());

  const spansOf = (trace: string) => collector.spans.filter(({ traceId }) => traceId === trace);

  it('leads from the POST of the caller to the call of Defender, step by step', () => {
    const spans = spansOf(callersTrace);
    const named = (name: string) => spans.find((span) => span.name === name);
    const posted = named('POST /v1/batches');
    const accepted = named('accept');
    const dispatched = named('task');
    const waited = named('wait in queue');
    const called = named('call Defender');
    assert.equal(spans.length, 5);
    assert.deepEqual(
      [posted, accepted, waited, dispatched, called].map((span) => [span?.service, span?.kind]),
      [
        ['diq-intake-api', spanKinds.server],
        ['diq-intake-api', spanKinds.internal],
        ['diq-worker', spanKinds.internal],
        ['diq-worker', spanKinds.consumer],
        ['diq-worker', spanKinds.client],
      ],
    );
    assert.equal(posted?.parentSpanId, callersSpan);
    assert.equal(accepted?.parentSpanId, posted?.spanId);
    assert.equal(waited?.parentSpanId, accepted?.spanId);
    assert.equal(dispatched?.parentSpanId, accepted?.spanId);
    assert.equal(called?.parentSpanId, dispatched?.spanId);
    assert.equal(called?.attributes['diq.call.outcome'], 'started');
    for (const span of spans)
      assert.deepEqual(
        [span.attributes['diq.tenant'], span.attributes['diq.operation']],
        ['default', 'initiateInvestigation'],
        span.name,
      );
    const arrived = calls.find(({ machineId }) => machineId === machine);
    assert.equal(arrived?.traceparent, `00-${callersTrace}-${called?.spanId}-01`);
  });

  it('is linked where another request joined the call', () => {
    const dispatched = spansOf(callersTrace).find(({ name }) => name === 'task');
    assert.deepEqual(
      dispatched?.links?.map(({ traceId }) => traceId),
      [otherTrace],
    );
    assert.deepEqual(
      spansOf(otherTrace)
        .map(({ name }) => name)
        .toSorted(),
      ['POST /v1/batches', 'accept'],
    );
  });

  it('begins at the POST of a caller who sent none', () => {
    const arrived = calls.find(({ machineId }) => machineId === others[0]);
    const [, trace = ''] = arrived?.traceparent?.split('-') ?? [];
    assert.match(trace, /^[\da-f]{32}$/);
    assert.equal(spansOf(trace).find(({ name }) => name === 'POST /v1/batches')?.parentSpanId, undefined);
    assert.equal(spansOf(trace).length, 5);
  });

  it('is named in every line about a request, in both services', () => {
    const moved = linesOf('worker').filter(({ msg }) => msg === 'request moved');
    assert.equal(moved.length, 6, 'three requests begin and start');
    assert.ok(moved.every(({ traceId, requestId, taskId }) => traceId && requestId && taskId));
    assert.deepEqual(
      moved
        .filter(({ traceId }) => traceId === callersTrace)
        .map(({ from, to, outcome }) => [from, to, outcome]),
      [
        ['queued', 'dispatching', undefined],
        ['dispatching', 'started', 'started'],
      ],
    );
    const said = (service: string) =>
      linesOf(service)
        .filter(({ traceId }) => traceId === callersTrace)
        .map(({ msg }) => msg);
    assert.deepEqual(said('intake-api').toSorted(), [
      'batch accepted',
      'request accepted',
      'request answered',
    ]);
    assert.ok(said('worker').includes('call ended'));
  });

  it('is sent with the headers that the settings give, and they appear nowhere else', () => {
    assert.ok(collector.headers.length > 0);
    for (const headers of collector.headers) {
      assert.deepEqual([headers['x-api-key'], headers['url']], [key, '/v1/traces']);
    }
    assert.ok(!allOutput().includes(key));
  });

  it('holds ids, and neither secrets nor what callers wrote', () => {
    const text = collector.text();
    assert.ok(text.includes(machine));
    for (const kept of [...Object.values(stack.secrets), comment, 'eyJ', key]) {
      assert.ok(!text.includes(kept), `found ${kept}`);
    }
  });
});

describe('a trace, without a collector', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();
  let stack: Stack;

  before(async () => {
    forgetOutput();
    stack = await startStack({ redisUrl: redis.url, ...quota });
  });
  after(() => stack.stop());

  it('is passed on to Defender under a new span id, and there is none where the caller sent none', async () => {
    const [traced = '', untraced = ''] = machineIds(2);
    const batches = [await post(stack, [traced], { traceparent }), await post(stack, [untraced])];
    for (const id of batches) await stack.api.untilCompleted(id, 30_000);
    const { calls } = await stack.control.calls();
    const sent = calls.find(({ machineId }) => machineId === traced)?.traceparent ?? '';
    assert.match(sent, new RegExp(`^00-${callersTrace}-[\\da-f]{16}-01$`));
    assert.notEqual(sent, traceparent);
    assert.equal(calls.find(({ machineId }) => machineId === untraced)?.traceparent, undefined);
    assert.ok(linesOf('worker').some(({ msg, traceId }) => msg === 'call ended' && traceId === callersTrace));
  });
});

describe('a collector that does not answer', function () {
  this.timeout(60_000);
  const redis = useEmbeddedRedis();

  it('costs neither calls nor a stop in time', async () => {
    forgetOutput();
    const hung = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(hung, 'listening');
    const { port } = hung.address() as AddressInfo;
    const env = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces` };
    const stack = await startStack({ redisUrl: redis.url, ...quota, env });
    try {
      await stack.api.untilCompleted(await post(stack, machineIds(1)), 30_000);
      const startedMs = performance.now();
      const codes = await Promise.all([...stack.workers, ...stack.intakes].map((service) => service.stop()));
      assert.ok(performance.now() - startedMs < 6_000);
      assert.deepEqual(
        codes.map(({ code }) => code),
        [0, 0],
      );
      assert.match(allOutput(), /the last traces were not sent/);
    } finally {
      await stack.stop();
      hung.close();
      hung.closeAllConnections();
    }
  });
});
