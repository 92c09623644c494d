import assert from 'node:assert/strict';
import { array, assert as assertProperty, integer, property } from 'fast-check';
import { isMetadataAddress, isPublicAddress } from './allowed-addresses.ts';

const services = {
  'IPv4 as it is': ['169.254.169.254', '168.63.129.16', '169.254.170.2', '100.100.100.200', '192.0.0.192'],
  'link-local': ['169.254.0.1', '169.254.255.255', 'fe80::1', 'fe80::a9fe:a9fe', 'fe80::1%eth0'],
  'IPv6 as it is': [
    'fd00:ec2::254',
    'fd00:ec2::0254',
    'FD00:0EC2:0:0:0:0:0:254',
    'fd20:ce::254',
    'fd00:42::42',
  ],
  'IPv4-mapped': ['::ffff:169.254.169.254', '::ffff:a9fe:a9fe', '::ffff:a83f:8110', '::ffff:169.254.1.1'],
  'IPv4-compatible': ['::169.254.169.254', '::a9fe:a9fe', '::a83f:8110'],
  translated: ['::ffff:0:a9fe:a9fe', '::ffff:0:a83f:8110'],
  NAT64: [
    '64:ff9b::a9fe:a9fe',
    '64:ff9b::a83f:8110',
    '64:ff9b:1::a9fe:a9fe',
    '64:ff9b:1:a9fe:a9:fe00::',
    '2001:db8:a9fe:a9fe::',
    '2001:db8:1a9:fea9:fe::',
    '2001:db8:122:a9fe:a9:fe00::',
    '2001:db8:122:3a9:fe:a9fe::',
    '2001:db8:122:344:a9:fea9:fe00::',
    '2001:db8:122:344::a9fe:a9fe',
  ],
  '6to4': ['2002:a9fe:a9fe::1', '2002:a83f:8110::'],
  ISATAP: ['2606:4700::5efe:a9fe:a9fe', '2606:4700::200:5efe:a83f:8110', 'fe80::5efe:a9fe:a9fe'],
  Teredo: ['2001:0:4136:e378:8000:63bf:5601:5601'],
  'no address at all': ['', 'localhost', '2852039166', '0xa9fea9fe', '0251.0376.0251.0376', '169.254.43518'],
};

describe("a cloud's metadata service", () => {
  for (const [spelling, addresses] of Object.entries(services)) {
    it(`is known by its address: ${spelling}`, () => {
      assert.deepEqual(
        addresses.filter((address) => !isMetadataAddress(address)),
        [],
      );
    });
  }

  it('is not found in addresses of private and public networks', () => {
    const others = ['127.0.0.1', '::1', '10.1.2.3', '192.168.1.1', '172.16.0.1', 'fd12:3456::1', '8.8.8.8'];
    const more = ['2606:4700::1111', '::ffff:10.0.0.1', '64:ff9b::808:808', '168.63.129.17', 'fd00:ec2::1'];
    assert.deepEqual([...others, ...more].filter(isMetadataAddress), []);
  });

  it('is known behind whatever NAT64 prefix of 96 bits', () => {
    assertProperty(
      property(array(integer({ min: 0, max: 0xffff }), { minLength: 6, maxLength: 6 }), (prefix) =>
        isMetadataAddress(`${prefix.map((part) => part.toString(16)).join(':')}:169.254.169.254`),
      ),
    );
  });
});

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
