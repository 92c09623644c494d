import assert from 'node:assert/strict';
import { newMachineId } from '../test-support/open-bench.ts';
import { useSimulator } from '../test-support/use-simulator.ts';
import { createDefenderReader, type DefenderReader, type Reading, type Rows } from './defender-reader.ts';
import type { TokenProvider } from './auth/token-provider.ts';
import { unlimitedReads } from '../test-support/unlimited-reads.ts';

const hourMs = 3_600_000;

describe('the reader of what Defender knows, in front of the simulator', () => {
  const simulator = useSimulator({ SIMULATOR_PAGE_SIZE: '2' });
  let reader: DefenderReader;
  let tokens: TokenProvider;
  let token: string;

  before(async () => {
    reader = createDefenderReader({
      budget: unlimitedReads,
      baseUrl: simulator.origin,
      timeoutMs: 2_000,
      connect: { ca: simulator.ca },
    });
    tokens = simulator.createTokens(() => undefined);
    const result = await tokens.get();
    token = result.kind === 'token' ? result.token : '';
  });
  after(async () => {
    await reader.close();
    await tokens.close();
  });

  it('finds what was started, by machine, page by page, by its id and by that of its alert', async () => {
    const machineId = newMachineId();
    const ids = [];
    for (const at of [3, 2, 1]) {
      const startTime = new Date(Date.now() - at * hourMs).toISOString();
      ids.unshift(
        (await simulator.addInvestigation({ machineId, startTime, actor: 'someone@contoso.example' })).id,
      );
    }
    await simulator.addInvestigation({ machineId: newMachineId() });

    const all = recordsOf(await reader.listInvestigations(token, { machineId, startedSinceMs: 0 }));
    assert.deepEqual(
      all.map(({ id }) => id),
      ids,
    );
    const startedSinceMs = Date.now() - 2.5 * hourMs;
    const since = recordsOf(await reader.listInvestigations(token, { machineId, startedSinceMs }));
    assert.deepEqual(since, all.slice(0, 2));

    const [newest] = all;
    assert.ok(newest?.triggeringAlertId);
    assert.equal(newest.machineId, machineId);
    assert.deepEqual(valueOf(await reader.findInvestigation(token, newest.id)), newest);
    assert.deepEqual(valueOf(await reader.findInvestigation(token, newest.triggeringAlertId)), newest);
    const unknown = { kind: 'not_found', errorCode: 'ResourceNotFound' };
    assert.deepEqual(await reader.findInvestigation(token, '1'), unknown);
  });

  it('finds the alert of a start by hand, with its investigation and its actor', async () => {
    const machineId = newMachineId();
    const { id } = await simulator.addInvestigation({ machineId, actor: 'SOC(soc@contoso.com)' });
    const [alert] = recordsOf(await reader.listAlerts(token, { machineId, createdSinceMs: 0 }));
    assert.equal(alert?.investigationId, id);
    assert.equal(alert.title, 'Automated investigation started manually');
    assert.match(alert.description, /^SOC\(soc@contoso\.com\) initiated /);
    assert.ok(Math.abs(alert.createdAtMs - Date.now()) < 60_000);
    const later = { machineId, createdSinceMs: alert.createdAtMs + 1 };
    assert.deepEqual(recordsOf(await reader.listAlerts(token, later)), []);
  });

  it('reports a rejected token', async () => {
    const answer = await reader.listInvestigations('not-a-token', { startedSinceMs: 0 });
    assert.deepEqual(answer, { kind: 'unreadable', reason: 'token_rejected', httpStatus: 401 });
  });
});

function recordsOf<T>(reading: Reading<Rows<T>>): readonly T[] {
  const { records, odd } = valueOf(reading);
  assert.deepEqual(odd, []);
  return records;
}

function valueOf<T>(reading: Reading<T>): T {
  assert.ok(reading.kind === 'read', JSON.stringify(reading));
  return reading.value;
}
