import assert from 'node:assert/strict';
import request from 'supertest';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { inTurn } from '../http/caller-turns.ts';
import { keys } from '../test-support/credentials.ts';
import { doorSettings, fetchToken, type DefenderErrorBody } from '../test-support/front-door.ts';
import { useIntake } from '../test-support/intake-under-test.ts';
import { machineId } from '../test-support/items.ts';

type Shown = Record<string, unknown> & { id: string };

describe('a scan that was asked for at the front door', () => {
  const intake = useIntake(useEmbeddedRedis(), {
    ...doorSettings,
    INTAKE_API_KEYS: doorSettings.INTAKE_API_KEYS.replace('submitter:submit:', 'submitter:submit+respond:'),
  });
  let soar: string;
  let submitter: string;
  before(async () => {
    soar = await fetchToken(intake, 'soar', keys.playbook);
    submitter = await fetchToken(intake, 'submitter', keys.submitter);
  });
  const send = (path: string, bearer: string, body: object = { Comment: 'no' }) =>
    request(intake.url).post(`/defender/api/${path}`).set('Authorization', `Bearer ${bearer}`).send(body);
  const get = (path: string) =>
    request(intake.url).get(`/defender/api/${path}`).set('Authorization', `Bearer ${soar}`);
  const scan = async (number: number, bearer: string): Promise<Shown> => {
    const body = { Comment: 'scan', ScanType: 'Full' };
    const answer = await send(`machines/${machineId(number)}/runAntiVirusScan`, bearer, body).expect(201);
    return answer.body as Shown;
  };

  it('is shown as a receipt without the scope read, and no other request is seen to be one', async () => {
    const theirs = await scan(1, soar);
    assert.match(String(theirs['troubleshootInfo']), /^queued; /);
    const first = await scan(1, submitter);
    assert.notEqual(first.id, theirs.id);
    assert.deepEqual([first['status'], first['troubleshootInfo']], ['Pending', 'queued']);
    assert.deepEqual(await scan(1, submitter), first);
    const refusals = await Promise.all(
      [theirs.id, theirs.id.replace(/-\w{4}-/, '-0000-')].map(async (id) => {
        const { status, body } = await send(`machineactions/${id}/cancel`, submitter);
        return [status, (body as DefenderErrorBody).error.message.replace(id, '')];
      }),
    );
    assert.deepEqual(refusals[0], refusals[1]);
    const cancelled = await send(`machineactions/${first.id}/cancel`, submitter).expect(201);
    assert.equal((cancelled.body as Shown)['status'], 'Cancelled');
  });

  it('is looked up by one filter of a caller at a time, each id once, while others are answered', async () => {
    const ids = [(await scan(2, soar)).id, (await scan(3, soar)).id];
    const filter = encodeURIComponent(`id in (${[...ids, ...ids].map((id) => `'${id}'`).join(',')})`);
    let endTurn = () => {};
    const before = inTurn('soar', { destroyed: false }, () => new Promise<void>((end) => (endTurn = end)));
    const answers: string[] = [];
    const asked = get(`machineactions?$filter=${filter}`).then(({ body }) => {
      answers.push('filter');
      return (body as { value: Shown[] }).value.map(({ id }) => id);
    });
    for (let i = 0; i < 5; i += 1) {
      await get(`machineactions/${ids[0]}`).expect(200);
      answers.push('one');
    }
    endTurn();
    await before;
    assert.deepEqual(await asked, ids);
    assert.deepEqual(answers, [...Array.from({ length: 5 }, () => 'one'), 'filter']);
  });
});
