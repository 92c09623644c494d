import assert from 'node:assert/strict';
import { errorCatalogue } from './error-catalogue.ts';

const entries = Object.entries(errorCatalogue);

describe('errorCatalogue', () => {
  it('tells no two errors by the same title', () => {
    assert.equal(new Set(entries.map(([, { title }]) => title)).size, entries.length);
  });

  it('names every code in snake case, so that programs can hold on to it', () => {
    assert.deepEqual(
      entries.map(([code]) => code).filter((code) => !/^[a-z]+(_[a-z]+)*$/.test(code)),
      [],
    );
  });

  it('holds errors only', () => {
    assert.deepEqual(
      entries.filter(([, { status }]) => !Number.isInteger(status) || status < 400 || status > 599),
      [],
    );
  });

  it('answers 503, and not 500, while Redis is away: the caller is to come again', () => {
    assert.equal(errorCatalogue.redis_unavailable.status, 503);
  });
});
