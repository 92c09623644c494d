import assert from 'node:assert/strict';
import { withContradictions, withoutLatest, type Contradiction } from './false-rows.ts';

const now = new Date().toISOString();
const action = { id: '9', type: 'Isolate', status: 'Pending', machineId: 'm', creationDateTimeUtc: now };
const investigation = { id: '1', state: 'Benign', startTime: '2026-01-01T00:00:00Z', endTime: now };
const reply = (document: object) => ({ status: 200, headers: {}, body: JSON.stringify(document) });
const rowsOf = ({ body }: { body: string }) =>
  (JSON.parse(body) as { value: Record<string, string>[] }).value;
const shownAs = (form: Contradiction, row: object) =>
  rowsOf(withContradictions(reply({ value: [row] }), form)).map(
    (one) => `${(one['machineId'] ?? '').slice(0, 1)} ${one['status'] ?? one['state']}`,
  );

describe('rows that contradict what is', () => {
  it('show ends that are none, and none where there is one', () => {
    assert.deepEqual(shownAs('reopened', investigation), [' Running']);
    assert.deepEqual(shownAs('twice', action), ['m Succeeded', 'm Pending']);
    assert.deepEqual(shownAs('twice', investigation), [' Benign', ' Running']);
    assert.deepEqual(shownAs('unknown-state', action), ['m Halting']);
    assert.deepEqual(shownAs('foreign-beside', action), ['f Succeeded', 'm Pending']);
    assert.deepEqual(shownAs('foreign-instead', action), ['f Succeeded']);
  });

  it('end before they began', () => {
    const [row] = rowsOf(withContradictions(reply({ value: [action] }), 'end-before-start'));
    assert.ok(Date.parse(String(row?.['lastUpdateDateTimeUtc'])) < Date.parse(now));
  });

  it('replace a record as well, and leave other documents alone', () => {
    const one = JSON.parse(withContradictions(reply(action), 'foreign-instead').body) as object;
    assert.equal((one as { status: string }).status, 'Succeeded');
    const other = reply({ error: { code: 'ResourceNotFound' } });
    assert.deepEqual(withContradictions(other, 'twice'), other);
  });

  it('are missing for a while after they were made', () => {
    const list = reply({ value: [action, investigation] });
    assert.deepEqual(rowsOf(withoutLatest(list, 3_600_000) ?? list), [investigation]);
    assert.equal(withoutLatest(reply(action), 3_600_000), undefined);
    assert.deepEqual(rowsOf(withoutLatest(list, 0) ?? list).length, 2);
  });
});
