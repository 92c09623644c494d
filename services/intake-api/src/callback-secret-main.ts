import { runCallbackSecretCommand } from './callbacks/callback-secret-command.ts';

// npm run --silent callback-secret -- https://soar.example/hook
const { code, lines } = runCallbackSecretCommand(process.argv[2] ?? '', process.env);
(code === 0 ? console.log : console.error)(lines.join('\n'));
process.exitCode = code;
