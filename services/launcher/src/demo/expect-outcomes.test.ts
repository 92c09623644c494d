import assert from 'node:assert/strict';
import { readBulkFile } from './read-bulk-file.ts';
import { expectedCalls, expectOutcomes } from './expect-outcomes.ts';

const machine = 'fb9ab6be3965095a09c057be7c90f0a2';
const other = 'e828a0624ed33f919db541065190d2f75e50a071';
const unknown = 'dead00c4b7e19f5230a8d6c1e4f7b2905a3c8d61';
const defaults = { comment: 'why' };

describe('the outcomes expected of a bulk file', () => {
  it('rejects items without a machine id or without a comment', () => {
    const requests = [
      { machineId: 'laptop-1', comment: 'c' },
      { machineId: `${machine}0`, comment: 'c' },
      { comment: 'c' },
      { machineId: machine },
      { machineId: machine, comment: ' ' },
      'text',
      null,
    ];
    assert.ok(expectOutcomes({ requests }).every((outcome) => outcome.kind === 'rejected'));
  });

  it('lets a machine that is named again, in whatever case, share the first call', () => {
    const requests = [{ machineId: 'x' }, { machineId: machine }, { machineId: machine.toUpperCase() }];
    const outcomes = expectOutcomes({ requests, defaults });
    assert.deepEqual(outcomes.slice(1), [
      { kind: 'started', machineId: machine },
      { kind: 'started', machineId: machine, with: 1 },
    ]);
    assert.equal(expectedCalls(outcomes), 1);
  });

  it('counts one call for a machine that Defender does not know', () => {
    const outcomes = expectOutcomes({ requests: [{ machineId: other }, { machineId: unknown }], defaults });
    assert.deepEqual(
      outcomes.map((outcome) => outcome.kind),
      ['started', 'unknown-machine'],
    );
    assert.equal(expectedCalls(outcomes), 2);
  });

  it('shows every kind in the example: 1 malformed, 1 repeated, 1 unknown, 9 that are started', async () => {
    const file = new URL('../../../../examples/bulk-request.json', import.meta.url);
    const { expected } = await readBulkFile(file);
    const shared = expected.filter((outcome) => outcome.kind !== 'rejected' && outcome.with !== undefined);
    const count = (kind: string) => expected.filter((outcome) => outcome.kind === kind).length;
    assert.deepEqual(
      [expected.length, count('rejected'), shared.length, count('unknown-machine'), expectedCalls(expected)],
      [12, 1, 1, 1, 10],
    );
  });
});
