import assert from 'node:assert/strict';
import { isPublicAddress } from './is-public-address.ts';

const notPublic = {
  loopback: ['127.0.0.1', '127.255.255.254', '::1'],
  unspecified: ['0.0.0.0', '0.1.2.3', '::'],
  private: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fc00::1', 'fd12:3456::1', 'fec0::1'],
  'shared by providers': ['100.64.0.1', '100.127.255.255'],
  'link-local, with the credentials of clouds': ['169.254.169.254', 'fe80::1', 'fd00:ec2::254'],
  "Azure's host": ['168.63.129.16'],
  multicast: ['224.0.0.1', '239.255.255.255', 'ff02::1'],
  reserved: [
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '203.0.113.1',
    '240.0.0.1',
    '255.255.255.255',
    '2001:db8::1',
    '100::1',
  ],
  'IPv4 wrapped in IPv6': [
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '64:ff9b::a9fe:a9fe',
    '64:ff9b:1::a00:1',
    '2002:7f00:1::',
    '2001:0:4136:e378:8000:63bf:3fff:fdd2',
  ],
  'wrapped so that the last 32 bits are an IPv4 address': [
    '::7f00:1',
    '::a00:1',
    '::ffff:0:7f00:1',
    '2606:4700::5efe:7f00:1',
    '2606:4700::200:5efe:a00:1',
    '2606:4700::a9fe:a9fe',
  ],
  'outside what is assigned': ['4000::1', '8000::1', 'e000::1', '5f00::1', '3fff::1'],
  'no address at all': ['', 'localhost', '0x7f.1', '2130706433', '010.0.0.1', '127.1', 'fe80::1%eth0x:'],
};

describe('a public address', () => {
  for (const [kind, addresses] of Object.entries(notPublic)) {
    it(`is never one that is ${kind}`, () => {
      assert.deepEqual(addresses.filter(isPublicAddress), []);
    });
  }

  it('is one of the open Internet', () => {
    const open = ['8.8.8.8', '93.184.215.14', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'];
    assert.deepEqual(open.filter(isPublicAddress), open);
  });
});
