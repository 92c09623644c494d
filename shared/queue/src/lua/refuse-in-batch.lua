-- include lib/stored-bytes.lua
--
-- Puts refusals in the place of requests that were not recorded, in a batch that is not sealed yet.
--
-- KEYS  1 batch   2 items of the batch   3 stored   (see store-keys.ts)
-- ARGV  for each: index of the item, JSON of the refusal
--
-- Returns  1; 0 when the batch was sealed already, or is gone
-- Writes   only where the item is none yet: a client may send a script twice
local batch_key, items_key = KEYS[1], KEYS[2]
stored_key = KEYS[3]

local accepting, caller = unpack(redis.call('HMGET', batch_key, 'accepting', 'caller'))
if not accepting then
  return 0
end
local more_bytes = 0

for i = 1, #ARGV, 2 do
  local present = redis.call('LINDEX', items_key, ARGV[i])
  if present and string.sub(present, 1, 1) ~= '{' then
    redis.call('LSET', items_key, ARGV[i], ARGV[i + 1])
    redis.call('HINCRBY', batch_key, 'rejected', 1)
    more_bytes = more_bytes + math.max(0, #ARGV[i + 1] - #present)
  end
end
-- The batch is not sealed, so it goes by itself as yet.
local bytes, time = counted(batch_key)
if bytes and more_bytes > 0 then
  count_bytes(batch_key, caller, more_bytes)
  add_to(stored_key .. ':' .. time, caller, more_bytes)
end
return 1
