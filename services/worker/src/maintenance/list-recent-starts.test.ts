import assert from 'node:assert/strict';
import {
  clockSlackMs,
  countsSinceMs,
  createReadStarted,
  knownStarts,
  type Started,
} from './list-recent-starts.ts';
import type { TokenProvider } from '../defender/auth/token-provider.ts';

const nowMs = 1_700_000_000_000;
const hourMs = 3_600_000;

const investigation = (id: number, startedAtMs?: number): Started => ({
  kind: 'investigation',
  id: String(id),
  startedAtMs,
  machineId: `machine-${id}`,
});
const rowsOf = (...records: Started[]) => ({ records, odd: [] });
const idsOf = (starts: ReturnType<typeof knownStarts>) => starts.map(({ callId }) => callId);

describe('what Defender lists, as calls of the ledger', () => {
  it('counts from the end of the second that Defender shows, and a slack for the difference of clocks', () => {
    const [start] = knownStarts(rowsOf(investigation(1, nowMs - 5_000)), { nowMs, limit: 5 });
    assert.deepEqual(start, {
      callId: 'investigation-1',
      machineId: 'machine-1',
      startedAtMs: nowMs - 5_000,
      countsFromMs: nowMs - 5_000 + 1_000 + clockSlackMs,
      facts: { investigationId: '1' },
    });
  });

  it('is asked for from so long ago that nothing that still counts is left out', () => {
    const [edge] = knownStarts(rowsOf(investigation(1, countsSinceMs(nowMs, hourMs))), { nowMs, limit: 5 });
    assert.equal((edge?.countsFromMs ?? 0) + hourMs, nowMs);
  });

  it('counts from now an investigation without a start: it was only just begun', () => {
    const [start] = knownStarts(rowsOf(investigation(1)), { nowMs, limit: 5 });
    assert.equal(start?.startedAtMs, nowMs);
  });

  it('is cut to the latest of the limit: earlier ones change nothing', () => {
    const list = rowsOf(...[3, 1, 4, 2].map((id) => investigation(id, nowMs - 9_000 + id)));
    assert.deepEqual(idsOf(knownStarts(list, { nowMs, limit: 2 })), ['investigation-4', 'investigation-3']);
  });

  it('counts a row that cannot be read as a call: at its own time, or else from now', () => {
    const row = { title: undefined, machineId: undefined };
    const odd = [
      { ...row, atMs: nowMs - 60_000 },
      { ...row, atMs: undefined },
    ];
    const starts = knownStarts({ records: [investigation(1, nowMs - hourMs)], odd }, { nowMs, limit: 5 });
    assert.deepEqual(
      starts.map(({ callId, startedAtMs }) => [callId, nowMs - startedAtMs]),
      [
        ['unreadable-2', 0],
        ['unreadable-1', 60_000],
        ['investigation-1', hourMs],
      ],
    );
  });

  it('counts one that is listed on two pages once, so that it hides no other', () => {
    const list = rowsOf(
      investigation(2, nowMs - 1),
      investigation(2, nowMs - 2),
      investigation(1, nowMs - 3),
    );
    assert.deepEqual(idsOf(knownStarts(list, { nowMs, limit: 2 })), ['investigation-2', 'investigation-1']);
  });

  it('takes a start that is yet to come for one of now: no slot stays used for ever', () => {
    const [start] = knownStarts(rowsOf(investigation(1, nowMs + 1e12)), { nowMs, limit: 5 });
    assert.equal(start?.startedAtMs, nowMs);
  });

  it('asks for another token when the one at hand was rejected, for the next try', async () => {
    const rejected: string[] = [];
    const tokens = {
      get: async () => ({ kind: 'token', token: 'token-1', expiresAtMs: 0 }),
      renewAfterRejection: async (token: string) => void rejected.push(token),
    } as unknown as TokenProvider;
    const unreadable = async () => ({ kind: 'unreadable', reason: 'token_rejected' }) as const;
    const reader = { listInvestigations: unreadable, listMachineActions: unreadable };
    const reading = await createReadStarted(reader, tokens, { list: 'investigations' })(0);
    assert.deepEqual([reading.kind, rejected], ['unreadable', ['token-1']]);
  });
});
