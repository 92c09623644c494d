// node --import ./shared/runtime/typescript.mjs FILE.ts
//
// Lets Node run TypeScript. From 22.18 on Node does so by itself, and nothing happens here. For older ones tsx does it,
// without its cache: that would be a folder of a known name in the temporary directory, which all users of a machine share.
// Whoever made the folder first would have code of his own run by the services.
if (!process.features.typescript) {
  // oxlint-disable node/no-process-env -- this is before anything that reads settings
  process.env.TSX_DISABLE_CACHE = '1';
  await import('tsx');
  delete process.env.TSX_DISABLE_CACHE;
}
