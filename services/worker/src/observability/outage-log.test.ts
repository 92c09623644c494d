import assert from 'node:assert/strict';
import { createOutageLog, type OutageLog } from './outage-log.ts';
import { captureLog } from '../test-support/capture-log.ts';

describe('the log of an outage', () => {
  let nowMs: number;
  let events: () => { level: string; msg: string; failures: number; outageMs?: number; redis?: string }[];
  let outage: OutageLog;
  beforeEach(() => {
    nowMs = 1_000;
    const { logger, lines } = captureLog();
    events = () => lines.map((line) => JSON.parse(line));
    outage = createOutageLog(logger, 'the queue', () => nowMs);
  });
  const failFor = (seconds: number, message = 'Redis is away') => {
    for (let half = 0; half < 2 * seconds; half += 1) {
      outage.failed(new Error(message));
      nowMs += 500;
    }
  };

  it('has one line for its beginning and one for its end, however long it lasts', () => {
    failFor(3_600);
    outage.worked();
    outage.worked();
    const [began, ended, ...more] = events();
    assert.deepEqual([began?.level, ended?.level, more.length], ['warn', 'info', 0]);
    assert.deepEqual([ended?.failures, ended?.outageMs], [7_200, 3_600_000]);
  });

  it('logs another cause in the midst of it, once each and a few at most', () => {
    failFor(10);
    failFor(10, 'WRONGTYPE');
    failFor(10);
    assert.equal(events().length, 2);
    for (let n = 0; n < 50; n += 1) outage.failed(new Error(`cause ${n}`));
    assert.equal(events().length, 5);
  });

  it('says in words what Redis refuses', () => {
    outage.failed(Object.assign(new Error('NOPERM no permissions'), { name: 'ReplyError' }));
    assert.match(events()[0]?.redis ?? '', /^does not allow its user a command or a key/);
  });

  it('begins anew after its end, or after a minute without a failure where no success is noted', () => {
    failFor(1);
    outage.worked();
    failFor(1);
    assert.equal(events().length, 3);
    nowMs += 59_000;
    failFor(1);
    assert.equal(events().length, 3);
    nowMs += 61_000;
    failFor(1);
    assert.equal(events().length, 4);
  });

  it('ends with what it watches, and lets its failures through', async () => {
    const trouble = new Error('Redis is away');
    await assert.rejects(outage.watched(() => Promise.reject(trouble))(), (error) => error === trouble);
    outage.failed(trouble);
    assert.equal(await outage.watched(async () => 'done')(), 'done');
    assert.deepEqual(
      events().map(({ level }) => level),
      ['warn', 'info'],
    );
  });
});
