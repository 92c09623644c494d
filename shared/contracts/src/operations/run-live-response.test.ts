import assert from 'node:assert/strict';
import { fieldFaults } from '../field-fault.ts';
import { runLiveResponse } from './run-live-response.ts';

const put = { type: 'PutFile', params: [{ key: 'FileName', value: 'collect.ps1' }] };
const run = {
  type: 'RunScript',
  params: [
    { key: 'ScriptName', value: 'collect.ps1' },
    { key: 'Args', value: '-Deep' },
  ],
};
const get = { type: 'GetFile', params: [{ key: 'Path', value: 'C:\\Windows\\Temp\\found.zip' }] };
const asked = (...commands: unknown[]) => runLiveResponse.parameters.parse({ commands });

/** As Defender shows a command of an action. */
const shown = (command: object, index: number) => ({
  index,
  startTime: null,
  endTime: null,
  commandStatus: 'Created',
  errors: [],
  command,
});

describe('the profile of runLiveResponse', () => {
  it('is as documented: path, body, 10 calls a minute, role', () => {
    const { path, body, limits, requiredRole, risk, accepted } = runLiveResponse;
    assert.equal(path('fb9ab6be'), '/api/machines/fb9ab6be/runliveresponse');
    assert.deepEqual(body({ comment: 'why', parameters: asked(put, run, get) }), {
      Comment: 'why',
      Commands: [put, run, get],
    });
    assert.deepEqual(limits, [{ calls: 10, windowMs: 60_000 }]);
    assert.deepEqual([requiredRole, risk], ['Machine.LiveResponse', 'respond']);
    assert.deepEqual(accepted, [200, 201]);
  });

  const withParams = (...params: unknown[]) => ({ ...run, params });
  const faults: [name: string, commands: unknown, path: string, message: RegExp][] = [
    ['none', undefined, 'commands', /^is required$/],
    ['no command', [], 'commands', /at least 1 entry/],
    ['too many, whatever they are', Array(11).fill(null), 'commands', /at most 10 entries/],
    [
      'another type',
      [{ ...put, type: 'DeleteFile' }],
      'commands[0].type',
      /one of PutFile, RunScript, GetFile/,
    ],
    ['another order', [get, put], 'commands', /in the order PutFile, RunScript, GetFile/],
    ['something that is no command', [put, null], 'commands[1]', /an object/],
    ['a key that is unknown', [{ ...put, path: '/' }], 'commands[0].path', /is not a known field/],
    [
      'a key that is missing',
      [withParams({ key: 'Args', value: 'x' })],
      'commands[0].params',
      /key ScriptName/,
    ],
    ['a key of another type', [{ ...get, params: put.params }], 'commands[0].params', /key Path/],
    [
      'one key too many',
      [withParams({ key: 'ScriptName', value: 'x' }, { key: '__proto__', value: 'x' })],
      'commands[0].params',
      /no other keys than ScriptName, Args/,
    ],
    [
      'a key twice',
      [withParams({ key: 'ScriptName', value: 'x' }, { key: 'ScriptName', value: 'y' })],
      'commands[0].params',
      /each key once/,
    ],
    ['too many keys', [withParams(...Array(5).fill(null))], 'commands[0].params', /at most 4 entries/],
    [
      'a long value',
      [withParams({ key: 'ScriptName', value: 'x'.repeat(2_049) })],
      'commands[0].params[0].value',
      /at most 2048 characters/,
    ],
    [
      'a value of two lines',
      [withParams({ key: 'ScriptName', value: 'x\ny' })],
      'commands[0].params[0].value',
      /control characters/,
    ],
  ];
  for (const [name, commands, path, message] of faults) {
    it(`refuses commands with ${name} and names the field`, () => {
      const read = runLiveResponse.parameters.safeParse({ commands }, { reportInput: true });
      assert.ok(!read.success);
      const [fault] = fieldFaults(read.error);
      assert.equal(fault?.path, path);
      assert.match(fault.message, message);
    });
  }

  it('has a key that is the same for the same commands alone, however their parameters are ordered', () => {
    const { coalescingKey } = runLiveResponse;
    const key = coalescingKey(asked(run, get));
    assert.match(key, /^[\dA-Za-z-]{1,100}$/);
    assert.equal(coalescingKey(asked({ ...run, params: run.params.toReversed() }, get)), key);
    const others = [asked(run), asked(get), asked(run, get, get), asked(put, run, get)];
    assert.equal(new Set([key, ...others.map(coalescingKey)]).size, 5);
    const split = [
      asked(withParams({ key: 'ScriptName', value: 'a","b' })),
      asked(withParams({ key: 'ScriptName', value: 'a' }, { key: 'Args', value: 'b' })),
    ];
    assert.notEqual(...(split.map(coalescingKey) as [string, string]));
  });

  it('is covered by a session with the same commands, and by no other', () => {
    const covers = (commands: unknown) => {
      const action = runLiveResponse.readResult({ id: 'a-1', commands })?.action;
      return action !== undefined && runLiveResponse.records.covers(action, asked(run, get));
    };
    assert.equal(covers([run, get].map(shown)), true);
    for (const other of [[shown(run, 0)], [get, run].map(shown), [], undefined, 'x', [null], [shown([], 0)]])
      assert.equal(covers(other), false, JSON.stringify(other));
  });
});
