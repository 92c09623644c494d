// node --import ./shared/runtime/typescript.mjs FILE.ts
//
// Lets Node run TypeScript. From 22.18 on Node does so by itself, and nothing happens here. Older ones have the types taken
// away by the same library as newer ones have built in; lines and columns stay where they are.
import { register } from 'node:module';

if (!process.features.typescript) register('./stripped-code.mjs', import.meta.url);
