import assert from 'node:assert/strict';
import { readFilter, type FieldKind, type Row } from './odata-filter.ts';

const fields: Record<string, FieldKind> = {
  machineId: 'text',
  state: 'text',
  startTime: 'time',
  incidentId: 'number',
};
const row: Row = { machineId: "o'brien", state: 'Running', startTime: '2020-01-06T14:11:34Z', incidentId: 7 };

describe('$filter', () => {
  const accepted = [
    "state eq 'Running'",
    "machineId eq 'o''brien' and state eq 'Running'",
    'startTime ge 2020-01-06T14:11:34Z',
    'startTime gt 2020-01-06T14:11:33.9999999Z and startTime lt 2020-01-06T14:11:35Z',
    'startTime le 2020-01-06T15:11:34+01:00',
    'incidentId eq 7',
    "machineId in ('one', 'o''brien') and state in ('Running')",
    "  state  eq  'Running'  ",
  ];
  for (const text of accepted) {
    it(`accepts the row by: ${text}`, () => {
      const filter = readFilter(text, fields);
      assert.equal(filter.kind === 'filter' && filter.accepts(row), true);
    });
  }

  const rejected = [
    "state eq 'running'",
    "state eq 'Running' and machineId eq 'other'",
    'startTime gt 2020-01-06T14:11:34Z',
    'startTime lt 2020-01-06T14:11:34Z',
    'incidentId eq 8',
    "machineId in ('o', 'brien')",
  ];
  for (const text of rejected) {
    it(`leaves the row out by: ${text}`, () => {
      const filter = readFilter(text, fields);
      assert.equal(filter.kind === 'filter' && !filter.accepts(row), true);
    });
  }

  const faulty = [
    '',
    'state',
    'state eq Running',
    "state eq 'Run'ning'",
    "state ne 'Running'",
    "state eq 'Running' and",
    "state eq 'Running' or state eq 'Failed'",
    "state eq 'Running'and machineId eq 'x'",
    "startTime ge '2020-01-06T14:11:34Z'",
    'startTime ge 2020-01-06',
    'startTime ge 2020-13-06T14:11:34Z',
    'state in ()',
    "state in ('Running'",
    "state in ('Running' 'Failed')",
    "state in 'Running'",
    "startTime in ('2020-01-06T14:11:34Z')",
    'startTime constructor 2020-01-06T14:11:34Z',
    "computerDnsName eq 'x'",
    "constructor eq 'x'",
    "State eq 'Running'",
  ];
  for (const text of faulty) {
    it(`calls it invalid: ${text === '' ? '(nothing)' : text}`, () => {
      assert.equal(readFilter(text, fields).kind, 'invalid');
    });
  }
});
