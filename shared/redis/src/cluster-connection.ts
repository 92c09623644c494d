import { Cluster, type ClusterOptions, type Command, type Redis } from 'ioredis';
import { sendTogether } from './ioredis-send-together.ts';
import type { HostAndPort } from './redis-address.ts';

type SentCommand = Command & { isSettled: boolean; setTimeout(ms: number): void };

export interface ClusterConnectionOptions extends ClusterOptions {
  /** After this long without a reply a command fails, wherever it waits, and is not sent any more. */
  readonly commandTimeoutMs?: number | undefined;
  /** Gets each connection to a node before it connects, and `host:port` of the node. */
  readonly onNode: (node: Redis, name: string) => void;
}

/**
 * Opens a connection to a Redis Cluster: one socket for each primary that is used. A command goes to the server that
 * holds its key, and follows a slot that was moved.
 */
export function openCluster(
  startupNodes: readonly HostAndPort[],
  options: ClusterConnectionOptions,
): Cluster {
  const { commandTimeoutMs, onNode, ...clusterOptions } = options;
  // Connected below: no node is to be missed.
  const cluster = new Cluster<'legacy'>([...startupNodes], {
    ...clusterOptions,
    lazyConnect: true,
  } as object);
  cluster.duplicate = () => openCluster(startupNodes, options);

  const send = cluster.sendCommand.bind(cluster);
  cluster.sendCommand = (command, stream, node) => {
    const sent = command as SentCommand;
    // Given up while the cluster was not ready.
    if (sent.isSettled) return sent.promise;
    if (commandTimeoutMs !== undefined) sent.setTimeout(commandTimeoutMs);
    return send(command, stream, node);
  };
  cluster.on('+node', (node: Redis) => {
    node.on('connect', () => sendTogether(node.stream));
    mindWhatIsSent(node);
    onNode(node, `${node.options.host}:${node.options.port}`);
  });
  // ioredis asks again who holds what only after a command went astray.
  cluster.on('-node', () => {
    if (cluster.status === 'ready') cluster.refreshSlotsCache();
  });
  cluster.connect().catch(() => undefined);
  return cluster;
}

const scriptCommands: ReadonlySet<string> = new Set(['eval', 'evalsha']);

function mindWhatIsSent(node: Redis): void {
  const send = node.sendCommand.bind(node);
  node.sendCommand = (command, stream) => {
    const sent = command as SentCommand;
    // A node keeps commands until it is connected, and would send also those that were given up meanwhile.
    if (sent.isSettled) return sent.promise;
    if (scriptCommands.has(command.name)) waitForTheMove(command);
    return send(command, stream);
  };
}

const waitingForMoves = new WeakSet<Command['reject']>();

/**
 * A script is not sent on to the server to which its slot is being moved: it would run there with the keys that have
 * arrived, and take the others for empty. It is tried again until all are in one place.
 */
function waitForTheMove(command: Command): void {
  const { reject } = command;
  if (waitingForMoves.has(reject)) return;
  command.reject = (error) => {
    // The second is what `while-at-rest.lua` ends with.
    if (/^ASK |Script attempted to access a non local key/.test(error.message))
      error.message = `TRYAGAIN the slot is being moved: ${error.message}`;
    reject(error);
  };
  waitingForMoves.add(command.reject);
}
