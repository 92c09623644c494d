import assert from 'node:assert/strict';
import { outcomeTable } from './outcome-table.ts';

const machineId = 'e828a0624ed33f919db541065190d2f75e50a071';

describe('the table of outcomes', () => {
  const table = outcomeTable({
    machines: ['laptop-1', machineId, machineId.toUpperCase()],
    expected: [{ kind: 'rejected' }, { kind: 'started', machineId }, { kind: 'started', machineId, with: 1 }],
    atTheDoor: [
      { index: 0, status: 'rejected', error: { code: 'invalid_item', message: 'no machine id' } },
      { index: 1, status: 'accepted' },
      { index: 2, status: 'coalesced' },
    ],
    inTheEnd: [
      { index: 0, status: 'rejected' },
      { index: 1, status: 'started', investigationId: '5146' },
      { index: 2, status: 'started', investigationId: '5146' },
    ],
    columns: 110,
  });

  it('has a line for every item, as the file writes it, without colours', () => {
    assert.deepEqual(
      table.split('\n').map((line) => line.trim().split(/ {2,}/)),
      [
        ['#', 'machine', 'status', 'investigation id, or reason'],
        ['1', 'laptop-1', 'rejected', 'invalid_item: no machine id'],
        ['2', machineId, 'started', '5146'],
        ['3', machineId.toUpperCase(), 'started', '5146 (coalesced with #2)'],
      ],
    );
  });
});
