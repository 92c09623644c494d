import helmet from 'helmet';

/**
 * Of helmet's headers those that mean something for data: nobody may take them for a page, frame them or read them from
 * another site, and whoever came by HTTPS once comes by it again. The others are about pages.
 */
export const guardData = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
});
