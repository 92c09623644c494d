import assert from 'node:assert/strict';
import { Counter, Gauge, Histogram, Registry, Summary } from 'prom-client';
import { metricsText, type MetricsText } from './metrics-text.ts';

describe('the text of the metrics', () => {
  it('is what prom-client itself writes, for each kind of metric', async () => {
    const registry = new Registry();
    const registers = [registry];
    const labelNames = ['tenant', 'code'];
    new Counter({ name: 'diq_none_total', help: 'No labels.', registers }).inc(3);
    new Counter({ name: 'diq_empty_total', help: 'No series.', labelNames, registers }).reset();
    const gauge = new Gauge({
      name: 'diq_gauge',
      help: 'A \\ and\na line, "quoted", ö.',
      labelNames,
      registers,
    });
    for (const tenant of ['plain', '"', '\\', '\n', 'a\\"b\nc', 'ö', '']) gauge.set({ tenant }, 1.5);
    gauge.set({ tenant: 'number', code: 503 }, -0.25);
    gauge.set({ tenant: 'much' }, Infinity);
    gauge.set({ tenant: 'little' }, -Infinity);
    const histogram = new Histogram({
      name: 'diq_seconds',
      help: 'S.',
      labelNames,
      buckets: [0.1, 1],
      registers,
    });
    for (const tenant of ['one', 'two'])
      for (const value of [0.05, 0.5, 5]) histogram.observe({ tenant }, value);
    new Summary({ name: 'diq_summary', help: 'S.', labelNames, registers }).observe({ tenant: 'one' }, 2);
    const { pieces } = await metricsText(registry);
    assert.equal(pieces.join('').trim(), (await registry.metrics()).trim());
  });

  it('gives what is not a number as Prometheus names it', async () => {
    const registry = new Registry();
    new Gauge({ name: 'diq_gauge', help: 'G.', registers: [registry] }).set(NaN);
    assert.match((await metricsText(registry)).pieces.join(''), /^diq_gauge NaN$/m);
  });

  it('lets other work have its turn within a metric of many series', async () => {
    const registry = new Registry();
    const gauge = new Gauge({ name: 'diq_gauge', help: 'G.', labelNames: ['tenant'], registers: [registry] });
    for (let i = 0; i < 2_001; i += 1) gauge.set({ tenant: `tenant-${i}` }, i);
    let turns = 0;
    let isOver = false;
    const takeTurn = () => {
      turns += 1;
      if (!isOver) setImmediate(takeTurn);
    };
    setImmediate(takeTurn);
    const { pieces } = await metricsText(registry);
    isOver = true;
    assert.equal(pieces.join('').match(/^diq_gauge\{/gm)?.length, 2_001);
    assert.ok(turns >= 4, `${turns} turns`);
    assert.ok(pieces.every(({ length }) => length < 64_000));
  });

  it('takes the memory of the last text when all who send that have ended, and not before', async () => {
    const registry = new Registry();
    const gauge = new Gauge({ name: 'diq_gauge', help: 'G.', labelNames: ['tenant'], registers: [registry] });
    for (let i = 0; i < 1_000; i += 1) gauge.set({ tenant: `tenant-${i}` }, i);
    const memoryOf = ({ pieces }: MetricsText) =>
      new Set(pieces.filter(({ length }) => length > 4_096).map(({ buffer }) => buffer));
    const sent = await metricsText(registry);
    const written = sent.pieces.join('');
    const first = memoryOf(sent);
    for (let i = 0; i < 2; i += 1) sent.hold();
    sent.letGo();
    const shares = (text: MetricsText) => [...memoryOf(text)].filter((one) => first.has(one)).length;
    assert.equal(shares(await metricsText(registry)), 0);
    assert.equal(sent.pieces.join(''), written);
    sent.letGo();
    const third = await metricsText(registry);
    assert.ok(first.size > 1);
    assert.equal(shares(third), first.size);
    assert.equal(third.pieces.join(''), written);
  });

  it('never takes the memory that Node shares out to small buffers, of whatever size that is', async () => {
    const { poolSize } = Buffer;
    try {
      // Node adds 64 bytes in some versions.
      for (const size of [65_536, 65_472]) {
        Buffer.poolSize = size;
        // What is left of the pool of the former size.
        for (let i = 0; i < 100; i += 1) Buffer.from('x'.repeat(4_000));
        const others = Buffer.from("another part's bytes");
        const registry = new Registry();
        const gauge = new Gauge({ name: 'diq_gauge', help: 'G.', labelNames: ['i'], registers: [registry] });
        gauge.set({ i: 0 }, 0);
        const small = await metricsText(registry);
        small.hold();
        small.letGo();
        for (let i = 0; i < 1_000; i += 1) gauge.set({ i }, i);
        const large = await metricsText(registry);
        assert.ok(large.pieces.some(({ length }) => length > 4_096));
        assert.ok(large.pieces.every((one) => one.length <= 4_096 || one.buffer !== others.buffer));
        assert.equal(others.toString(), "another part's bytes");
      }
    } finally {
      Buffer.poolSize = poolSize;
    }
  });
});
