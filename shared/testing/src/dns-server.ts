import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv4 } from 'node:net';

/** What is said of a name. `silent`: nothing at all. */
export type DnsAnswer = readonly string[] | 'silent' | 'servfail';

export interface DnsServer {
  /** `address:port`. */
  address: string;
  /** Every question so far, as `name type`. */
  questions: readonly string[];
  close(): Promise<void>;
}

const answered = 0x8180;
const serverFailed = 0x8182;
const noSuchName = 0x8183;

/** A real DNS server on the loopback. It knows IPv4 addresses of the names that it is given, and no others. */
export async function openDnsServer(names: Readonly<Record<string, DnsAnswer>>): Promise<DnsServer> {
  const questions: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const { name, type, end } = readQuestion(query);
    questions.push(`${name} ${type}`);
    const answer = names[name];
    if (answer === 'silent') return;
    const found = Array.isArray(answer) ? answer.filter((one) => isIPv4(one) && type === 'A') : [];
    const flags = answer === undefined ? noSuchName : answer === 'servfail' ? serverFailed : answered;
    const header = Buffer.alloc(12);
    query.copy(header, 0, 0, 2);
    [flags, 1, found.length].forEach((value, index) => header.writeUInt16BE(value, 2 + 2 * index));
    socket.send(Buffer.concat([header, query.subarray(12, end), ...found.map(record)]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readQuestion(query: Buffer): { name: string; type: 'A' | 'AAAA' | 'other'; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = query.readUInt16BE(at + 1);
  return {
    name: labels.join('.').toLowerCase(),
    type: type === 1 ? 'A' : type === 28 ? 'AAAA' : 'other',
    end: at + 5,
  };
}

/** An A record of the name in the question, good for a second. */
function record(address: string): Buffer {
  return Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]);
}
