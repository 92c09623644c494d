import assert from 'node:assert/strict';
import { lookup } from 'node:dns/promises';
import { countSystemLookups } from './system-lookups.ts';

describe('the count of names that the system was asked for', () => {
  it('holds each lookup of a name, and none of an address', async () => {
    const lookUp = (...hosts: string[]) => Promise.all(hosts.map((host) => lookup(host)));
    assert.equal(await countSystemLookups(() => lookUp('localhost', 'localhost', '127.0.0.1')), 2);
    assert.equal(await countSystemLookups(() => lookUp('127.0.0.1')), 0);
  });
});
