-- Closes a batch for further requests. What was recorded until now is the whole of it. Closed again it stays as it is.
--
-- Behind stored-bytes.lua.
-- KEYS  1 batch   2 items of the batch   3 stored   (see store-keys.ts)
-- ARGV  1 retention of a completed batch, in ms   2 JSON array: its requests that come last in the order
--
-- Returns  1 when this completed the batch, else 0
local batch_key, items_key = KEYS[1], KEYS[2]
stored_key = KEYS[3]

if redis.call('HDEL', batch_key, 'accepting') == 0 then
  return 0
end
redis.call('HSET', batch_key, 'tail', ARGV[2])
local queued, dispatching, caller = unpack(redis.call('HMGET', batch_key, 'queued', 'dispatching', 'caller'))
if (tonumber(queued) or 0) == 0 and (tonumber(dispatching) or 0) == 0 then
  local clock = redis.call('TIME')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
  redis.call('HSET', batch_key, 'completedAt', now)
  redis.call('PEXPIRE', batch_key, ARGV[1])
  redis.call('PEXPIRE', items_key, ARGV[1])
  goes_in(batch_key, caller or '', tonumber(ARGV[1]), now)
  return 1
end
redis.call('PERSIST', batch_key)
redis.call('PERSIST', items_key)
stays(batch_key, caller or '')
return 0
