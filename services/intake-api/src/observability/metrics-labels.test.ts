import assert from 'node:assert/strict';
import { request } from 'undici';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { item, machineId, unknownId } from '../test-support/items.ts';

describe('the labels of the metrics of the intake', () => {
  const redis = useEmbeddedRedis();
  const intake = useIntake(redis);
  const scrape = async () => (await intake.anonymously().get('/metrics').expect(200)).text;
  /** Of its series, with their labels. */
  const namesOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => line.startsWith('diq_'))
      .map((line) => line.slice(0, line.lastIndexOf(' ')));

  it('are as many after two hundred strange requests as after one', async () => {
    const strange = async (number: number) => {
      await intake.get(`/v1/nowhere-${number}`).expect(404);
      await intake.get(`/v1/investigations/${number}-${unknownId}`).expect(404);
      await intake.get(`/v1/batches/${unknownId}/items?limit=${number}`).expect(404);
    };
    await strange(1);
    const once = new Set(namesOf(await scrape()));
    for (let number = 2; number < 200; number += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, i) => strange(number + i)));
    }
    // The scrape before was itself the first of its route, and what a queue shows comes and goes with its readings.
    const isOther = (name: string) => name.includes('route="/metrics"') || name.includes('tenant="default"');
    assert.deepEqual(
      namesOf(await scrape()).filter((name) => !isOther(name) && !once.has(name)),
      [],
    );
  });

  it('hold no path, method, machine, source, batch or request that a caller chose', async () => {
    const chosen = { source: 'a-source-of-its-own', correlation: { incident: 'INC-4711' } };
    const { body } = await intake.post('/v1/batches', { requests: [item(5, chosen)] }).expect(202);
    const { id, items } = body as { id: string; items: { id: string }[] };
    await intake.get(`/v1/batches/${id}`).expect(200);
    await intake.get(`/v1/investigations/${items[0]?.id}`).expect(200);
    await intake.get(`/v1/investigations?machineId=${machineId(5)}&source=${chosen.source}`).expect(200);
    await intake.get('/a/path/of/its/own').expect(404);
    await request(`${intake.url}/v1/quota`, { method: 'PROPFIND' as 'GET' });

    const text = await scrape();
    assert.match(text, /method="other"/);
    assert.match(text, /route="unmatched"/);
    assert.match(text, /route="\/v1\/investigations\/:id"/);
    const unbounded = [
      id,
      items[0]?.id ?? '',
      machineId(5),
      chosen.source,
      'INC-4711',
      'of/its/own',
      'PROPFIND',
    ];
    assert.deepEqual(
      unbounded.filter((word) => text.includes(word)),
      [],
    );
  });
});
