import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { errorCatalogue } from '@diq/intake-api/http/error-catalogue.ts';
import { investigationItem } from '@diq/contracts/investigation-item.ts';
import { definitions } from '@diq/intake-api/routes/index.ts';
import { keys } from '@diq/intake-api/test-support/credentials.ts';
import { useIntake } from '@diq/intake-api/test-support/intake-under-test.ts';
import { makeCall } from '@diq/intake-api/test-support/worker-moves.ts';
import { requireTools } from '@diq/testing/require-tools.ts';
import { useEmbeddedRedis } from '@diq/testing/shared-redis.ts';
import { readCurlExamples, runCurl } from './support/curl-examples.ts';
import { assertSameShape } from './support/same-shape.ts';

const root = new URL('../../', import.meta.url);
const pages = { 'docs/api.md': read('docs/api.md'), 'README.md': read('README.md') };
const page = pages['docs/api.md'];

function read(name: string): string {
  return readFileSync(new URL(name, root), 'utf8');
}

for (const [name, text] of Object.entries(pages)) {
  describe(`the curl calls in ${name}`, () => {
    const intake = useIntake(useEmbeddedRedis(), { DEFENDER_CALLS_PER_WINDOW: '5' });
    const variables: Record<string, string> = { API_KEY: keys.playbook, ADMIN_KEY: keys.operator };
    /** Of the request that was made last. */
    let machineId = '';

    before('look for curl', requireTools('curl'));

    for (const { name: call, command, status, shown } of readCurlExamples(text)) {
      it(`bring what is shown: ${call}`, async () => {
        // As the page says: "should it end as failed".
        if (command.includes('$REQUEST/retry')) await makeCall(intake, machineId, failure);
        variables['INTAKE'] = intake.url;
        const answer = await runCurl(command.replaceAll('http://localhost:8080', intake.url), variables);
        assert.equal(answer.status, status ?? 202, answer.body);
        if (shown === undefined) return;
        const body = JSON.parse(answer.body) as Shown;
        assertSameShape(body, shown);
        if (answer.status === 202) noteId(body);
      });
    }

    /** What the page calls `$REQUEST` and `$BATCH` from here on. */
    function noteId(body: Shown): void {
      variables[body.machineId === undefined ? 'BATCH' : 'REQUEST'] = body.id;
      machineId = body.machineId ?? machineId;
    }
  });
}

/** An answer that accepts a request or a batch. */
interface Shown {
  id: string;
  machineId?: string;
}

const failure = { status: 'failed', error: { code: 'defender_error', message: 'no' }, attempts: 1 } as const;

describe('docs/api.md', () => {
  it('names every error with its status and meaning, word for word, and what to do', () => {
    const rows = [...page.matchAll(/^\| `(\w+)`\s*\| (\d{3})\s*\| (.+?)\s*\| (.+?)\s*\|$/gm)];
    assert.deepEqual(
      rows.map(([, code, status, title]) => [code, Number(status), title]),
      Object.entries(errorCatalogue).map(([code, { status, title }]) => [code, status, title]),
    );
  });

  it('says of every operation which scope it needs, and whose requests it touches', () => {
    const rows = [...page.matchAll(/^\| `([A-Z]+ \/v1\S+)`\s*\| `(\w+)`\s*\| (.+?)\s*\|$/gm)];
    const documented = Object.fromEntries(
      rows.map(([, call = '', scope, whose = '']) => [call, [scope, /admin/.test(whose)]]),
    );
    const offered = definitions.flatMap(({ method, path, scope, isOwnOnly = false }) =>
      scope ? [[`${method.toUpperCase()} ${path.replaceAll(/:(\w+)/g, '{$1}')}`, [scope, isOwnOnly]]] : [],
    );
    assert.deepEqual(documented, Object.fromEntries(offered));
  });

  it('calls every operation under /v1 that is there for programs, with curl', () => {
    const called = readCurlExamples(page).map(({ command }) => command.replaceAll('\\\n', ' '));
    const isCalled = ({ method, path }: (typeof definitions)[number]) => {
      // A request goes by the name of any operation as well.
      const pattern = path
        .replaceAll(/:\w+/g, String.raw`(?:\$\w+|\d+)`)
        .replace('/v1/investigations/', '/v1/(?:investigations|requests)/');
      const target = new RegExp(`\\$INTAKE${pattern}[?"]`);
      return called.some((command) => target.test(command) && methodOf(command) === method);
    };
    const missing = definitions.filter(({ scope, id }) => scope && id !== 'watchState');
    assert.deepEqual(
      missing.filter((operation) => !isCalled(operation)).map(({ id }) => id),
      [],
    );
  });

  it('has an action for Logic Apps whose body is an item', () => {
    const [, code = ''] = /```json logic-apps\n([\s\S]*?)```/.exec(page) ?? [];
    const { inputs } = JSON.parse(code) as { inputs: { body: object; headers: object } };
    const filledIn = { ...inputs.body, machineId: 'a'.repeat(40) };
    assert.ok(investigationItem.safeParse(filledIn).success);
    assert.ok('Idempotency-Key' in inputs.headers);
  });
});

function methodOf(command: string): string {
  const named = /-X (\w+)/.exec(command)?.[1];
  return named?.toLowerCase() ?? (/ -d /.test(command) ? 'post' : 'get');
}
