import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { readJson } from './read-json.ts';

const many = 1_000_000;
const read = (text: string | Buffer) => readJson(Buffer.from(text as string), many);
const valueOf = (text: string) => {
  const reading = read(text);
  assert.equal(reading.kind, 'read', text);
  return reading.kind === 'read' ? reading.value : undefined;
};
const doubledIn = (text: string) => {
  const reading = read(text);
  return reading.kind === 'doubled' ? reading.faults.map(({ path }) => path) : reading.kind;
};

describe('a JSON body', () => {
  it('is read as JSON.parse reads it, whatever it holds', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 10 }), fc.constantFrom(undefined, 1, '\t'), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        assert.deepEqual(valueOf(text), JSON.parse(text));
      }),
      { numRuns: 500 },
    );
  });

  it('is not made into values where these are too many, or stand too deep in one another', () => {
    const kindOf = (text: string, most: number) => readJson(Buffer.from(text), most).kind;
    assert.equal(kindOf('[1,2,{"a":"[,["}]', 6), 'read');
    assert.equal(kindOf('[1,2,3,4,5,6]', 6), 'too-many-values');
    assert.equal(kindOf('['.repeat(17), many), 'too-deep');
    assert.equal(kindOf(`${'['.repeat(16)}${']'.repeat(16)}`, many), 'read');
    for (const cut of ['"', '"\\', `"${'\\'.repeat(200)}`, `["${'a'.repeat(100)}`])
      assert.equal(kindOf(cut, many), 'malformed');
  });

  it('is not made into values where objects have far more names than any that is taken', () => {
    const object = (names: number) => `{${Array.from({ length: names }, (_, i) => `"${i}":{"a":1}`).join()}}`;
    const kindOf = (objects: string[]) => read(`[${objects.join()}]`).kind;
    assert.equal(kindOf(Array.from({ length: 1_000 }, () => object(32))), 'read');
    assert.equal(kindOf([object(1_032), object(1_032)]), 'read');
    assert.equal(kindOf([object(1_032), object(1_033)]), 'too-many-names');
    assert.equal(kindOf(Array.from({ length: 2_001 }, () => object(33))), 'too-many-names');
    assert.equal(read(`{"a:b":"${'":'.replace('"', String.raw`\"`).repeat(9_000)}"}`).kind, 'read');
  });

  it('is not made into values where its objects have too many different names, and may have the same ones as often as it likes', () => {
    /** So many objects of four names, beside one that all have: of their own, or those of the object before last. */
    const kindOf = (objects: number, own: boolean) =>
      read(
        JSON.stringify(
          Array.from({ length: objects }, (_, i) => ({
            all: 1,
            ...Object.fromEntries([1, 2, 3, 4].map((n) => [`${n} of ${own ? i : i % 2}`, 1])),
          })),
        ),
      ).kind;
    assert.equal(kindOf(9_999, true), 'read');
    assert.equal(kindOf(10_000, true), 'too-many-names');
    assert.equal(kindOf(20_000, false), 'read');
  });

  it('may begin with a byte order mark', () => {
    assert.deepEqual(valueOf('\uFEFF{"a":1}'), { a: 1 });
    assert.equal(read('\uFEFF\uFEFF{}').kind, 'malformed');
  });

  it('is refused in any encoding but UTF-8, also where only one byte in a text is wrong', () => {
    for (const bytes of [
      Buffer.from('{"comment":"Gerät"}', 'latin1'),
      Buffer.from('\uFEFF{"comment":"Gerät"}', 'utf16le'),
      Buffer.concat([Buffer.from('{"comment":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]),
      Buffer.concat([Buffer.from('"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"')]),
      Buffer.from('{"comment":"🚨"}').subarray(0, 14),
    ]) {
      assert.equal(readJson(bytes, many).kind, 'not-utf-8', bytes.toString('hex'));
    }
  });

  it('is malformed where JSON.parse says so', () => {
    for (const text of ['{', '{"a":1,}', "{'a':1}", '{"a":"\u0000"}', 'NaN', '[1] 2', '"', '{"a" 1}', ' '])
      assert.equal(read(text).kind, 'malformed', text);
  });
});

describe('a name given twice in one object', () => {
  it('is named by its path', () => {
    assert.deepEqual(doubledIn('{"machineId":"a","machineId":"b"}'), ['machineId']);
    assert.deepEqual(doubledIn('{"requests":[{"a":1},{"b":{"c":1,"c":1}}]}'), ['requests[1].b.c']);
    assert.deepEqual(doubledIn('[[],[1,{"x":[{"y":1,"z":2,"y":3}]}]]'), ['[1][1].x[0].y']);
    assert.deepEqual(doubledIn('{"a":1,"b":2,"a":3,"b":4,"a":5}'), ['a', 'b']);
  });

  it('is seen however it is spelt', () => {
    assert.deepEqual(doubledIn(String.raw`{"machineId":1,"machine\u0049d":2}`), ['machineId']);
    assert.deepEqual(doubledIn(String.raw`{"a\"b":1,"a\u0022b":2}`), ['a"b']);
    assert.deepEqual(doubledIn(String.raw`{"\/":1,"/":2}`), ['/']);
    assert.deepEqual(doubledIn('{"__proto__":1,"__proto__":2}'), ['__proto__']);
    assert.deepEqual(doubledIn(String.raw`{"__proto__":1,"\u005f_proto__":2}`), ['__proto__']);
    assert.deepEqual(doubledIn('{"1":1,"0":2,"1":3}'), ['1']);
    assert.deepEqual(doubledIn('{"":1,"":2}'), ['']);
    assert.deepEqual(doubledIn('{ "a" :\n1\t,\r"a"\n:2}'), ['a']);
  });

  it('is none where it only looks so', () => {
    for (const text of [
      '{"a":"a:a","b":"\\"b\\":"}',
      String.raw`{"a":"\\","b":":{\"a\":1,\"a\":1}"}`,
      '{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}',
      '{"a":"","A":"","__proto__":{"a":1},"constructor":1,"hasOwnProperty":2,"toString":3}',
      `{"a":"${'x'.repeat(200)}\\\\","b":"${'\\"'.repeat(200)}"}`,
    ]) {
      assert.equal(doubledIn(text), 'read', text);
    }
  });

  it('is found in any object, and in no other', () => {
    const name = fc.oneof(
      fc.constantFrom('a', 'b', '__proto__', '"', '\\', ':', 'x'.repeat(100)),
      fc.string(),
    );
    const fields = fc.array(fc.tuple(name, fc.jsonValue()), { maxLength: 6 });
    fc.assert(
      fc.property(fields, (given) => {
        const text = `[{${given.map(([key, value]) => `${escaped(key)}:${JSON.stringify(value)}`).join()}}]`;
        const isDoubled = new Set(given.map(([key]) => key)).size < given.length;
        assert.equal(read(text).kind, isDoubled ? 'doubled' : 'read', text);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is listed 20 times at most, each name and each path clipped', () => {
    const pair = (i: number) => `"${'k'.repeat(1_000)}${i}":1,"${'k'.repeat(1_000)}${i}":1`;
    const text = `[${Array.from({ length: 50 }, (_, i) => `{${pair(i)}}`).join()}]`;
    const found = doubledIn(text);
    assert.ok(Array.isArray(found) && found.length === 20 && found.every((path) => path.length < 80));
    assert.deepEqual(doubledIn(`{${'"a":1,'.repeat(50)}"b":1,"b":2}`), ['a']);
    assert.deepEqual(doubledIn(`${'{"a":'.repeat(12)}{"b":1,"b":2}${'}'.repeat(12)}`), ['a.a.a.a.a.a.a.a']);
  });
});

/** Some characters as they are, some as escapes. */
function escaped(name: string): string {
  const units = Array.from({ length: name.length }, (_, i) => name.charCodeAt(i));
  const odd = units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  return name.length % 2 === 0 ? JSON.stringify(name) : `"${odd}"`;
}
