import assert from 'node:assert/strict';
import { queueTagIn, queueTagOf } from '@diq/contracts/queue-tag.ts';
import { uuidv7 } from 'uuidv7';
import { derivedIds, freshIds } from './request-ids.ts';

const atMs = Date.parse('2026-01-24T12:00:00.123Z');
const tag = queueTagOf('diq:{tenant/operation}');
const all = (ids: ReturnType<typeof derivedIds>, size: number) => [
  ids.batch,
  ...Array.from({ length: size }, (_, index) => [ids.request(index), ids.task(index)]).flat(),
];

describe('ids derived from a seed', () => {
  it('are the same for the same seed and time, and others for another', () => {
    assert.deepEqual(all(derivedIds('a', atMs, tag), 5), all(derivedIds('a', atMs, tag), 5));
    const known = new Set(all(derivedIds('a', atMs, tag), 5));
    for (const others of [derivedIds('b', atMs, tag), derivedIds('a', atMs + 1, tag)]) {
      assert.ok(all(others, 5).every((id) => !known.has(id)));
    }
  });

  it('are all different, and in the order of the items, for the largest batch', () => {
    const { batch, request, task } = derivedIds('a', atMs, tag);
    const indexes = Array.from({ length: 10_000 }, (_, index) => index);
    for (const ids of [[batch, ...indexes.map(request)], indexes.map(task)]) {
      assert.equal(new Set(ids).size, ids.length);
      assert.deepEqual(ids.toSorted(), ids);
    }
  });

  it('are UUIDs of version 7 that sort by time among those made otherwise', () => {
    const { batch, request } = derivedIds('seed', Date.now() - 1_000, tag);
    for (const id of [batch, ...[0, 1, 2].map(request)]) {
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.ok(id < uuidv7());
      assert.ok(id < freshIds(tag).batch);
    }
  });

  it('lead to their queue, and so do those made otherwise', () => {
    for (const { batch, request } of [derivedIds('seed', atMs, tag), freshIds(tag)]) {
      for (const id of [batch, ...[0, 9_999].map(request)]) assert.equal(queueTagIn(id), tag);
    }
  });

  it('are short for tasks, sort by time among those made otherwise, and are never mistaken for a number', () => {
    const { task } = derivedIds('seed', Date.now() - 1_000, tag);
    const fresh = Array.from({ length: 1_000 }, () => freshIds(tag).task(0));
    assert.equal(new Set(fresh).size, fresh.length);
    for (const id of [...[0, 1, 2].map(task), ...fresh]) assert.match(id, /^[A-Z][-\w]{14}$/);
    assert.ok(fresh.every((id) => task(2) < id));
    assert.deepEqual(fresh.toSorted(), fresh);
  });
});
