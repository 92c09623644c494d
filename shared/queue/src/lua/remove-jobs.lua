-- Takes jobs out that wait in the order, with their jobs. BullMQ has only a script for one at a time, which takes ten
-- times as long; it is for those that this one leaves.
--
-- KEYS  1 BullMQ's sorted set of prioritized jobs   2 … the jobs, as many as ids
-- ARGV  their ids
--
-- Returns  ids of those that do not wait there: claimed, or gone
local left = {}
for i, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('DEL', KEYS[i + 1])
  else
    left[#left + 1] = id
  end
end
return left
