import assert from 'node:assert/strict';
import { batchPosition, positionCursor, requestPosition, streamPosition, writePosition } from './cursor.ts';

const kinds = { requestPosition, batchPosition, streamPosition };
const examples = {
  requestPosition: ['01930000-0000-7000-8000-000000000000'],
  batchPosition: ['-1', '0', '10000'],
  streamPosition: ['1764000000000-0', '0-1', '9999999999999999-9999999999999999999'],
};

describe('positionCursor', () => {
  const read = (kind: keyof typeof kinds, text: string) => positionCursor(kinds[kind]).safeParse(text);

  for (const [kind, positions] of Object.entries(examples) as [keyof typeof kinds, string[]][]) {
    it(`reads what was written of a ${kind}, and no other kind takes it`, () => {
      for (const position of positions) {
        assert.equal(read(kind, writePosition(position)).data, position);
        for (const other of Object.keys(kinds) as (keyof typeof kinds)[]) {
          if (other !== kind) assert.equal(read(other, writePosition(position)).success, false);
        }
      }
    });

    it(`takes nothing else for a ${kind}, however alike`, () => {
      const [position = ''] = positions;
      const written = writePosition(position);
      for (const text of [
        '',
        'x',
        `${written}=`,
        `${written}A`,
        writePosition('*'),
        writePosition('123456'),
        position,
      ])
        assert.equal(read(kind, text).success, false, text);
    });
  }

  it('gives an id as it is given out, whatever its case', () => {
    const id = '01930000-0000-7000-8000-00000000ABCD';
    assert.equal(read('requestPosition', writePosition(id)).data, id.toLowerCase());
  });

  it('takes no entry of a stream that Redis has no number for', () => {
    for (const entry of [
      '9999999999999999-99999999999999999999',
      '0-18446744073709551616',
      '99999999999999999-0',
      '0-0',
      '00-000',
      '1-',
      '-',
      '+',
      '$',
      '1-1\n',
    ]) {
      assert.equal(read('streamPosition', writePosition(entry)).success, false, entry);
    }
  });
});
