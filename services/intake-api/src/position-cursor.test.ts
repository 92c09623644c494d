import assert from 'node:assert/strict';
import { positionCursor, writePosition } from './position-cursor.ts';

describe('positionCursor', () => {
  const read = (text: string) => positionCursor().safeParse(text);

  it('reads what was written', () => {
    for (const position of ['01930000-0000-7000-8000-000000000000', '1764000000000-0', '17', '-1']) {
      assert.equal(read(writePosition(position)).data, position);
    }
  });

  it('takes nothing else, however alike', () => {
    const written = writePosition('17');
    for (const text of [
      '',
      'x',
      `${written}=`,
      `${written}A`,
      writePosition('*'),
      writePosition('123456'),
      '17',
    ]) {
      assert.equal(read(text).success, false, text);
    }
  });

  it('takes only the form that is asked for', () => {
    assert.equal(positionCursor(/^\d+$/).safeParse(writePosition('1764000000000-0')).success, false);
  });
});
