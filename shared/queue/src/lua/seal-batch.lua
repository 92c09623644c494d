-- include lib/complete-batch.lua
--
-- Closes a batch for further requests, and lists it. What was recorded until now is the whole of it. Closed again it stays as it is.
--
-- KEYS  1 batch   2 items of the batch   3 stored   4 callbacks due   (see store-keys.ts)
-- ARGV  1 its id   2 retention of a completed batch, in ms   3 JSON array: its requests that come last in the order   4 key space
--
-- Returns  1 when this completed the batch, else 0
local batch_key, items_key = KEYS[1], KEYS[2]
stored_key = KEYS[3]

if redis.call('HDEL', batch_key, 'accepting') == 0 then
  return 0
end
redis.call('HSET', batch_key, 'tail', ARGV[3])
batch_listed(ARGV[4], ARGV[1], redis.call('HGET', batch_key, 'found') or nil)
if complete_batch(batch_key, ARGV[1], tonumber(ARGV[2]), KEYS[4]) then
  return 1
end
redis.call('PERSIST', batch_key)
redis.call('PERSIST', items_key)
stays(batch_key, redis.call('HGET', batch_key, 'caller') or '')
return 0
