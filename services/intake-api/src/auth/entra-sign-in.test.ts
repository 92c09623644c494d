import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { waitFor } from '@diq/testing/wait-for.ts';
import { createEntraSignIn, type EntraSignIn } from './entra-sign-in.ts';

describe('signing in while Entra ID does not answer', () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  let signIn: EntraSignIn;
  before('start an authority that says nothing', async () => {
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const authorityHost = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    signIn = createEntraSignIn(
      { authorityHost, tenantId: randomUUID(), audiences: [] },
      { clientId: randomUUID(), clientSecret: 'secret', publicUrl: 'https://queue.example.com' },
    );
  });
  after(async () => {
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
  });

  async function comeBackFrom(address: string) {
    const { url, sealed } = await signIn.begin([]);
    const answer = new URLSearchParams({ code: 'c', state: url.searchParams.get('state') ?? '' });
    return signIn.finish(answer, sealed, address);
  }
  const refusalOf = async (result: ReturnType<typeof comeBackFrom>) => {
    const found = await result;
    return found.kind === 'refused' && found.refusal.code;
  };

  it('takes three of one address at a time, and others beside them', async () => {
    const waiting = ['192.0.2.1', '192.0.2.1', '192.0.2.1'].map(comeBackFrom);
    await waitFor(() => sockets.length === 3, { what: 'three connections' });
    assert.equal(await refusalOf(comeBackFrom('192.0.2.1')), 'too_many');
    const other = comeBackFrom('192.0.2.2');
    await waitFor(() => sockets.length === 4, { what: 'four connections' });
    for (const socket of sockets) socket.destroy();
    for (const one of [...waiting, other]) assert.equal(await refusalOf(one), 'unavailable');
    const again = comeBackFrom('192.0.2.1');
    await waitFor(() => sockets.length === 5, { what: 'one connection more' });
    for (const socket of sockets) socket.destroy();
    assert.equal(await refusalOf(again), 'unavailable');
  });
});
