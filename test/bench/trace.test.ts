import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readTrace, writeTrace } from '../../bench/trace/csv.ts';
import { groupsOf } from '../../bench/trace/ask-queue.ts';
import { generateTrace } from '../../bench/trace/generate-trace.ts';
import { firstOfIncidents, slotUses, waitsOf } from '../../bench/trace/judge-waits.ts';
import type { ReplayedCall } from '../../bench/trace/replay.ts';
import { scaledConstants } from '../../bench/trace/scaled-time.ts';
import type { Trace, TraceRequest } from '../../bench/trace/trace-request.ts';
import { zerosOf } from '../../bench/trace/zeros.ts';

const options = { days: 14, load: 1.25, slotsPerHour: 5, seed: 7 };
const [known, other, unknown] = ['a'.repeat(40), 'b'.repeat(40), `dead${'0'.repeat(36)}`];
const hour = 3_600;

const request = (atSeconds: number, more: Partial<TraceRequest> = {}): TraceRequest => ({
  atSeconds,
  incident: 'one',
  batch: '',
  source: 'edr',
  priority: 'medium',
  machineId: known,
  machine: 'known',
  truth: 'true_positive',
  ...more,
});
const traceOf = (...requests: TraceRequest[]): Trace => ({ name: 'small', hours: 10, requests });
const call = (atSeconds: number, machineId = known, status = 200): ReplayedCall => ({
  atSeconds,
  atMs: atSeconds,
  machineId,
  status,
});

describe('a trace that is made', () => {
  const trace = generateTrace(options);

  it('is the same for the same seed, and another one for another', () => {
    assert.deepEqual(generateTrace(options), trace);
    assert.notDeepEqual(generateTrace({ ...options, seed: 8 }).requests, trace.requests);
  });

  it('asks for as many calls of each slot as it is asked for, in order of arrival', () => {
    const slots = options.days * 24 * options.slotsPerHour;
    assert.ok(Math.abs(trace.requests.length / slots - options.load) < 0.02);
    const times = trace.requests.map(({ atSeconds }) => atSeconds);
    assert.deepEqual(
      times,
      times.toSorted((a, b) => a - b),
    );
  });

  it('has campaigns of one source and one truth, sent as one batch', () => {
    const batches = groupsOf(trace).filter(([first]) => first?.batch !== '');
    assert.ok(batches.length > 3);
    for (const batch of batches) {
      assert.equal(new Set(batch.map(({ source, truth, atSeconds }) => source + truth + atSeconds)).size, 1);
      assert.equal(new Set(batch.map(({ machineId }) => machineId)).size, batch.length);
    }
  });

  it('is read as it was written', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'diq-trace-'));
    try {
      const file = join(folder, 'trace.csv');
      await writeTrace(file, trace);
      const read = await readTrace(file);
      const rounded = trace.requests.map((one) => ({
        ...one,
        atSeconds: Number(one.atSeconds.toFixed(1)),
      }));
      assert.deepEqual(read.requests, rounded);
      await writeFile(file, `machineId,atSeconds,priority\n${known},12,\n${known},20,urgent\n`);
      await assert.rejects(readTrace(file), /trace\.csv, line 3: priority/);
      await writeFile(file, `machineId,atSeconds\n${known},12\nlaptop,20\n`);
      await assert.rejects(readTrace(file), /line 3: machineId is no machine id/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('what a replay is judged by', () => {
  it('counts from the arrival to the first investigation of the machine, from any caller', () => {
    const trace = traceOf(request(0), request(hour), request(2 * hour, { machineId: other }));
    const waits = waitsOf(trace, [call(hour / 2)]);
    assert.deepEqual(
      waits.map(({ hours, isOpen }) => [hours, isOpen]),
      [
        [0.5, false],
        // It still runs then.
        [0, false],
        [8, true],
      ],
    );
    assert.equal(firstOfIncidents(waits)[0]?.hours, 0.5);
  });

  it('takes no throttled call for an investigation, and none for a machine that needs none', () => {
    const trace = traceOf(
      request(0),
      request(0, { machineId: unknown, machine: 'unknown' }),
      request(0, { machineId: other, machine: 'under_investigation' }),
    );
    const calls = [call(1, known, 429), call(2, unknown, 404), call(3, other), call(4), call(5)];
    assert.deepEqual(
      waitsOf(trace, calls).map(({ hours }) => hours * hour),
      [4],
    );
    assert.deepEqual(slotUses(trace, calls), { used: 1, unknown_machine: 1, already_running: 2 });
  });

  it('counts calls over the limit, machines called twice, and requests that ended as they must not', () => {
    const queue = [call(0), call(100, other), call(150, unknown, 404), call(9_000), call(9_200, other, 429)];
    const end = (status: string, attempts: number, more: Partial<TraceRequest> = {}) => ({
      request: request(0, more),
      id: '',
      sentAtMs: 0,
      expectedStartAtMs: undefined,
      status,
      errorCode: status === 'failed' ? 'machine_unknown' : undefined,
      attempts,
      dispatchedAtMs: undefined,
      joined: false,
    });
    const ends = [
      end('started', 1),
      end('queued', 0),
      end('failed', 0, { machineId: unknown, machine: 'unknown' }),
      end('failed', 0),
      end('unknown', 1),
      end('started', 1, { machineId: 'c'.repeat(40) }),
    ];
    const calls = { queue, fifo: [], fixed: [], soar: [] };
    assert.deepEqual(zerosOf({ calls, ends }, { limit: 2, windowMs: 200 }), {
      violations: 2,
      doubles: 0,
      losses: 3,
    });
    const twice = { ...calls, queue: [call(0), call(hour - 1)] };
    assert.equal(zerosOf({ calls: twice, ends }, { limit: 2, windowMs: 200 }).doubles, 1);
  });
});

describe('the time of a replay', () => {
  it('is scaled in constants that stand in the services as it expects them', async () => {
    for (const { file, text, by } of scaledConstants(2_000)) {
      const source = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
      assert.equal(source.split(text).length, 2, `${file} holds once: ${text}`);
      assert.notEqual(text, by);
    }
  });
});
