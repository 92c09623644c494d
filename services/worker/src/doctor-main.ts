import { examine } from './doctor/examine.ts';

// For `diq doctor`: what these settings lead to, as JSON. Nothing of what libraries log.
process.stdout.write(JSON.stringify(await examine(process.env)));
