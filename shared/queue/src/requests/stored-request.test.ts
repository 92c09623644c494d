import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { itemRulesOf, parseItem } from '@diq/contracts/investigation-item.ts';
import { priorities } from '@diq/contracts/priority.ts';
import { requestDocument } from '@diq/contracts/request-document.ts';
import { requestStatuses } from '@diq/contracts/status.ts';
import { parseStoredRequest } from './stored-request.ts';
import { arrivedAtMs, item } from '../test-support/test-store.ts';
import { initiateInvestigation } from '@diq/contracts/operations/initiate-investigation.ts';

const rules = itemRulesOf(initiateInvestigation);

const createdAt = '2026-01-24T12:00:00.000Z';
const bare = {
  doc: JSON.stringify({ ...item(), at: arrivedAtMs }),
  status: 'queued',
  task: 'task-1',
};
const full = {
  ...bare,
  status: 'failed',
  batch: 'batch-1',
  with: 'request-0',
  dispatchedAt: String(arrivedAtMs + 1_500),
  investigationId: '5146',
  error: JSON.stringify({ code: 'x', message: 'y', defenderTarget: 'z' }),
  attempts: '2',
};

const anyTime = fc
  .date({ min: new Date(arrivedAtMs + 1), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  .chain((date) =>
    fc.constantFrom('Z', '+14:00', '-12:00', '+05:30').map((zone) => date.toISOString().replace('Z', zone)),
  );
const anyInput = fc.record(
  {
    machineId: fc.string({
      unit: fc.constantFrom(...Array.from('0123456789abcdefABCDEF')),
      minLength: 40,
      maxLength: 40,
    }),
    comment: fc.string({ unit: 'binary', minLength: 1, maxLength: 50 }),
    priority: fc.constantFrom(...priorities),
    notAfter: anyTime,
    source: fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
    correlation: fc.dictionary(fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }), fc.string(), {
      maxKeys: 5,
    }),
  },
  { requiredKeys: ['machineId', 'comment'] },
);

describe('parseStoredRequest', () => {
  it('answers undefined for an empty hash, which is how Redis answers for an unknown key', () => {
    assert.equal(parseStoredRequest('request-1', {}), undefined);
  });

  it('makes a document without the fields that the request does not have', () => {
    assert.deepEqual(parseStoredRequest('request-1', bare), {
      taskId: 'task-1',
      document: { id: 'request-1', ...item(), createdAt, status: 'queued', attempts: 0 },
    });
  });

  it('makes a document with all that the scripts wrote', () => {
    assert.deepEqual(parseStoredRequest('request-1', full)?.document, {
      id: 'request-1',
      batchId: 'batch-1',
      ...item(),
      createdAt,
      status: 'failed',
      coalescedWith: 'request-0',
      dispatchedAt: '2026-01-24T12:00:01.500Z',
      investigationId: '5146',
      result: { kind: 'investigation', id: '5146' },
      error: { code: 'x', message: 'y', defenderTarget: 'z' },
      attempts: 2,
    });
  });

  for (const status of requestStatuses) {
    it(`makes what the published form of a ${status} request accepts, word for word`, () => {
      for (const hash of [bare, full]) {
        const document = parseStoredRequest('request-1', { ...hash, status })?.document;
        assert.deepEqual(requestDocument.parse(document), document);
      }
    });
  }

  it('reads back every item that was accepted, as it was accepted', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const parsed = parseItem(input, arrivedAtMs, rules);
        fc.pre(parsed.ok);
        const doc = JSON.stringify({ ...parsed.item, at: arrivedAtMs });
        const stored = parseStoredRequest('request-1', { ...bare, doc });
        assert.deepEqual(requestDocument.parse(stored?.document), stored?.document);
        assert.deepEqual(stored?.document, {
          id: 'request-1',
          ...parsed.item,
          createdAt,
          status: 'queued',
          attempts: 0,
        });
      }),
    );
  });

  it('reads what was accepted before texts had rules, without halves of characters', () => {
    const before = { source: 'a\0b', comment: ' \ud83d\u0007', correlation: { 'run\ud83d': 'x\n' } };
    const doc = JSON.stringify({ ...item(), ...before, at: arrivedAtMs });
    const { source, comment, correlation } =
      parseStoredRequest('request-1', { ...bare, doc })?.document ?? {};
    assert.deepEqual(
      { source, comment, correlation },
      { source: 'a\0b', comment: ' \ufffd\u0007', correlation: { 'run\ufffd': 'x\n' } },
    );
  });

  it('throws on a hash that is damaged, instead of making something up', () => {
    assert.throws(() => parseStoredRequest('request-1', { ...bare, status: 'lost' }));
    assert.throws(() => parseStoredRequest('request-1', { ...bare, doc: '{' }));
    assert.throws(() => parseStoredRequest('request-1', { status: 'queued' }));
  });
});
