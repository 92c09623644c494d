import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createArrivalLog } from './arrival-log.ts';
import { createCallLog } from './defender/call-log.ts';
import { serverCertificate } from './certificate.ts';
import { systemClock, type Clock } from './clock.ts';
import { withDefaults, type SimulatorOptions, type SimulatorSettings } from './config.ts';
import { createConnections } from './connections.ts';
import { createDeliver, type Deliver } from './deliver.ts';
import { createEntraRoutes, type TokenRequestDetails, type EntraDeps } from './entra/entra-routes.ts';
import { createSignIns } from './entra/sign-ins.ts';
import { createFaultPlan } from './fault-plan.ts';
import { createHolds } from './holds.ts';
import { createActionRoutes } from './defender/action-routes.ts';
import { createDownloadLinks, type DownloadLinks } from './defender/download-links.ts';
import { createInvestigations } from './defender/investigations.ts';
import { createMachineActions } from './defender/machine-actions.ts';
import { readMachines } from './defender/machines.ts';
import { createQuota } from './defender/quota.ts';
import { createReadRoutes, type ReadDetails } from './defender/read-routes.ts';
import { createTokens } from './tokens.ts';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { createControlRoutes, type ControlDeps } from './control/control-routes.ts';
import { errorReply } from './defender/defender-reply.ts';
import { sendReply } from './reply.ts';
import { createStartRoutes } from './defender/start-routes.ts';

export type { SimulatorOptions } from './config.ts';

export interface Simulator {
  /** Where both Entra ID and Defender are, without a slash at the end. */
  origin: string;
  port: number;
  /** What a client has to trust, PEM. */
  caPem: string;
  /** Breaks all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Starts Entra ID and Defender on one HTTPS server; resolves when it listens and the CA file, if asked for, is written.
 *
 * @throws when the port is taken or one of the configured files cannot be used
 */
export async function createSimulator(
  options: SimulatorOptions,
  clock: Clock = systemClock,
): Promise<Simulator> {
  const settings = withDefaults(options);
  const holds = createHolds();
  const connections = createConnections();
  const [certificate, machines, clientCertificate] = await Promise.all([
    serverCertificate(settings),
    readMachines(settings.machinesFile),
    readClientCertificate(settings.clientCertificateFile),
  ]);
  const app = createApp({
    clock,
    settings,
    machines,
    clientCertificate,
    holds,
    deliver: createDeliver(connections, holds),
    calls: createCallLog(clock),
    tokenRequests: createArrivalLog<TokenRequestDetails>(clock),
    reads: createArrivalLog<ReadDetails>(clock),
    faults: createFaultPlan(),
    tokens: createTokens(clock, settings),
    signIns: createSignIns(clock),
    investigations: createInvestigations({ ...settings, clock }),
    machineActions: createMachineActions({
      ...settings,
      clock,
      isOnline: (id) => machines.find(id)?.['healthStatus'] === 'Active',
    }),
    links: createDownloadLinks({ ...settings, clock }),
    quota: createQuota({ ...settings, kind: settings.windowKind }),
  });

  const server = createServer({ cert: certificate.certPem, key: certificate.keyPem }, app);
  // Longer than any client keeps an idle connection, so that the server never closes one just as it is used.
  server.keepAliveTimeout = 120_000;
  connections.attach(server);
  server.listen(settings.port, settings.host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  return {
    origin: `https://${originHost(settings)}:${port}`,
    port,
    caPem: certificate.caPem,
    async close() {
      const closed = once(server, 'close');
      server.close();
      connections.destroyAll();
      await closed;
    },
  };
}

async function readClientCertificate(file: string | undefined): Promise<X509Certificate | undefined> {
  return file === undefined ? undefined : new X509Certificate(await readFile(file));
}

/** A name that is in the certificate and leads here from this machine. */
function originHost({ host }: SimulatorSettings): string {
  if (host === '::1') return '[::1]';
  return host === '0.0.0.0' || host === '::' ? 'localhost' : host;
}

interface AppDeps extends ControlDeps {
  deliver: Deliver;
  links: DownloadLinks;
  clientCertificate: EntraDeps['clientCertificate'];
}

/** Both services and the control routes on one server: their paths do not meet. */
function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');

  app.use('/control', createControlRoutes(deps));

  const starts = createStartRoutes({ ...deps, log: deps.calls });
  const actions = createActionRoutes({ ...deps, log: deps.calls });
  const reads = createReadRoutes({ ...deps, log: deps.reads });
  // The pinned version first: below /api it would be taken for a resource.
  app.use(['/api/v1.0', '/api'], starts, actions, reads);
  app.use('/api', (req, res) => {
    sendReply(req, res, errorReply(404, 'NotFound', `No resource matches ${req.method} ${req.path}`));
  });

  app.get('/downloads/:token', (req, res) => sendReply(req, res, deps.links.follow(req.params.token)));

  app.use(createEntraRoutes({ ...deps, log: deps.tokenRequests }));
  app.use((error: Error & { status?: number }, req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) return next(error);
    const refused = error.status !== undefined && error.status < 500;
    const [status, code] = refused ? ([400, 'BadRequest'] as const) : ([500, 'InternalServerError'] as const);
    sendReply(req, res, errorReply(status, code, error.message));
  });
  return app;
}
