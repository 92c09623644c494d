#!/usr/bin/env node
// On Node older than 22.18 types have to be taken away first.
import '../../../shared/runtime/typescript.mjs';

await import('../src/main.ts');
