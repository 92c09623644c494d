-- Puts refusals in the place of requests that were not recorded, in a batch that is not sealed yet.
--
-- KEYS  1 batch   2 items of the batch              (see store-keys.ts)
-- ARGV  for each: index of the item, JSON of the refusal
--
-- Writes   only where the item is none yet: a client may send a script twice
local batch_key, items_key = KEYS[1], KEYS[2]

for i = 1, #ARGV, 2 do
  local present = redis.call('LINDEX', items_key, ARGV[i])
  if present and string.sub(present, 1, 1) ~= '{' then
    redis.call('LSET', items_key, ARGV[i], ARGV[i + 1])
    redis.call('HINCRBY', batch_key, 'rejected', 1)
  end
end
return 1
