import { Cluster, type ClusterOptions, type Command, type Redis } from 'ioredis';
import { sendTogether } from './ioredis-send-together.ts';
import type { HostAndPort } from './redis-address.ts';

type SentCommand = Command & { isSettled: boolean; setTimeout(ms: number): void };

export interface ClusterConnectionOptions extends ClusterOptions {
  /** After this long without a reply a command fails, wherever it waits, and is not sent any more. */
  readonly commandTimeoutMs?: number | undefined;
  /** Gets each connection to a node before it connects. */
  readonly onNode: (node: Redis) => void;
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
    dropSettledCommands(node);
    onNode(node);
  });
  // ioredis asks again who holds what only after a command went astray.
  cluster.on('-node', () => {
    if (cluster.status === 'ready') cluster.refreshSlotsCache();
  });
  cluster.connect().catch(() => undefined);
  return cluster;
}

/** A node keeps commands until it is connected, and would send also those that were given up meanwhile. */
function dropSettledCommands(node: Redis): void {
  const send = node.sendCommand.bind(node);
  node.sendCommand = (command, stream) => {
    const sent = command as SentCommand;
    return sent.isSettled ? sent.promise : send(command, stream);
  };
}
