-- include lib/stored-bytes.lua
--
-- Deletes a batch that is complete, with its list of items.
--
-- KEYS  1 batch   2 items of the batch   3 stored   (see store-keys.ts)
-- ARGV  1 time (ms) by which it must have been complete, or ''
--
-- Returns  1 if it was deleted, else 0
stored_key = KEYS[3]
local completed, caller = unpack(redis.call('HMGET', KEYS[1], 'completedAt', 'caller'))
if not completed or (ARGV[1] ~= '' and tonumber(completed) > tonumber(ARGV[1])) then
  return 0
end
uncount(KEYS[1], caller or '')
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
