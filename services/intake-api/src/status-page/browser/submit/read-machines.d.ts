// Served beside the page's own modules: the command line reads machines by it, too.
export * from '@diq/contracts/machine-list.js';
