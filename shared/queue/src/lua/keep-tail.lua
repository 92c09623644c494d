-- Keeps with a batch which of its requests come last in the order, unless the batch is gone.
--
-- KEYS  1 batch                                     (see store-keys.ts)
-- ARGV  1 JSON array of request ids
--
-- Returns  1, or 0 when there is no such batch
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HSET', KEYS[1], 'tail', ARGV[1])
return 1
