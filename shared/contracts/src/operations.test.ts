import assert from 'node:assert/strict';
import { keySpace, operationNames, operationQuotas } from './operations.ts';

const tenantId = '7D2F0E60-97A1-4A36-9B7C-5C2A5C0E4E11';

describe('keySpace', () => {
  for (const operation of operationNames) {
    it(`has exactly one hash tag, not empty, for ${operation}`, () => {
      const space = keySpace({ tenantId, operation });
      assert.equal(space.match(/[{}]/g)?.join(''), '{}');
      assert.match(space, /\{[^{}]+\}/);
    });
  }

  it('is the same for every spelling of a tenant', () => {
    const [operation] = operationNames;
    assert.equal(
      keySpace({ tenantId: tenantId.toLowerCase(), operation }),
      keySpace({ tenantId: tenantId.toUpperCase(), operation }),
    );
  });

  it('is another one for another tenant and for another operation', () => {
    const spaces = operationNames.flatMap((operation) => [
      keySpace({ tenantId, operation }),
      keySpace({ tenantId: tenantId.replace('7', '8'), operation }),
    ]);
    assert.equal(new Set(spaces).size, 2 * operationNames.length);
  });
});

describe('operationQuotas', () => {
  it('allows the five investigations an hour that Defender documents', () => {
    assert.deepEqual(operationQuotas.initiateInvestigation, { limits: [{ calls: 5, windowMs: 3_600_000 }] });
  });
});
