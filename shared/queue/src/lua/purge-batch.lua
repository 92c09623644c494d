-- Deletes a batch that is complete, with its list of items.
--
-- KEYS  1 batch   2 items of the batch              (see store-keys.ts)
-- ARGV  1 time (ms) by which it must have been complete, or ''
--
-- Returns  1 if it was deleted, else 0
local completed = redis.call('HGET', KEYS[1], 'completedAt')
if not completed or (ARGV[1] ~= '' and tonumber(completed) > tonumber(ARGV[1])) then
  return 0
end
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
