import type Bottleneck from 'bottleneck';

type Callback = (error: Error | null, reply?: unknown) => void;
interface ScriptSource {
  __scriptFn__(name: string): (...args: unknown[]) => unknown;
}

/** Codes that Bottleneck recognises only when they are the whole error text. */
const prefixedCode = /^ERR (?=SETTINGS_KEY_NOT_FOUND|UNKNOWN_CLIENT|OVERWEIGHT)/;

/**
 * Bottleneck 2.19 repairs itself after a loss of its state by comparing error texts exactly. Redis 7 and Valkey put
 * `ERR ` in front of a script's errors, so it would stay broken for the life of the process (SGrondin/bottleneck#205).
 * This strips the prefix from those codes before Bottleneck sees them.
 */
export function repairAfterStateLoss(connection: Bottleneck.IORedisConnection): void {
  const source = connection as unknown as ScriptSource;
  const original = source.__scriptFn__.bind(connection);
  source.__scriptFn__ = (name) => {
    const script = original(name);
    return (...args) => {
      const callback = args.pop() as Callback;
      return script(...args, (error: Error | null, reply: unknown) => {
        if (error) error.message = error.message.replace(prefixedCode, '');
        callback(error, reply);
      });
    };
  };
}
