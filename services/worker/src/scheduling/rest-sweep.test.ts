import assert from 'node:assert/strict';
import { waitFor } from '@diq/testing/wait-for.ts';
import { startRestSweep, type RestSweepOptions } from './rest-sweep.ts';

describe('the sweep over queues that are left alone', () => {
  const sweeps: ReturnType<typeof startRestSweep>[] = [];
  afterEach(() => Promise.all(sweeps.splice(0).map((sweep) => sweep.stop())));

  function start(own: Partial<RestSweepOptions> = {}) {
    const attended: string[] = [];
    const asked: string[][] = [];
    const queues = Array.from({ length: 120 }, (_, i) => ({
      keySpace: `queue-${i}`,
      hasLedger: () => true,
      awaitsResult: () => false,
      isLeftAlone: () => i !== 3,
      attend: () => void attended.push(`queue-${i}`),
    }));
    const said: string[] = [];
    const sweep = startRestSweep({
      queues: () => queues,
      async check(some) {
        asked.push(some.map(({ keySpace }) => keySpace));
        return { withWork: some.filter(({ keySpace }) => keySpace === 'queue-77') };
      },
      outages: { failed: (error) => void said.push(String(error)), worked: () => void said.push('worked') },
      everyMs: () => 3_600_000,
      ...own,
    });
    sweeps.push(sweep);
    return { sweep, attended, asked, said, names: queues.map(({ keySpace }) => keySpace) };
  }

  it('asks about all of them when wakes may have been lost, some at a time, and attends those with work', async () => {
    const { sweep, attended, asked, names } = start();
    sweep.now();
    await waitFor(() => asked.length === 3, { what: 'all to be asked about', intervalMs: 1 });
    assert.deepEqual(
      asked.flat(),
      names.filter((name) => name !== 'queue-3'),
    );
    assert.deepEqual(attended, ['queue-77']);
  });

  it('goes on by itself', async () => {
    const { asked, names } = start({ everyMs: () => 6 });
    await waitFor(() => asked.length > 6, { what: 'two turns', intervalMs: 1 });
    assert.equal(new Set(asked.flat()).size, names.length - 1);
  });

  it('says that Redis cannot be asked, and goes on with those that it left out', async () => {
    let failures = 1;
    const asked: string[] = [];
    const { sweep, said } = start({
      async check(some) {
        failures -= 1;
        if (failures === 0) throw new Error('Redis is away');
        asked.push(...some.map(({ keySpace }) => keySpace));
        return { withWork: [] };
      },
    });
    sweep.now();
    await waitFor(() => asked.length === 119, { what: 'all to be asked about' });
    assert.deepEqual(said, ['Error: Redis is away', 'worked', 'worked', 'worked']);
  });

  it('attends those of the servers that answer where one of several does not', async () => {
    const { sweep, attended, said } = start({
      check: async (some) => ({ withWork: some.slice(0, 1), error: new Error('one node is away') }),
    });
    sweep.now();
    await waitFor(() => attended.length === 3, { what: 'all to be asked about', intervalMs: 1 });
    assert.deepEqual(said[0], 'Error: one node is away');
  });
});
