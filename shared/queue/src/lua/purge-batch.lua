-- include lib/stored-bytes.lua, lib/batch-index.lua
--
-- Deletes a batch that is complete, with its list of items and what indexes hold of it.
--
-- KEYS  1 batch   2 items of the batch   3 stored   (see store-keys.ts)
-- ARGV  1 time (ms) by which it must have been complete, or ''   2 key space   3 its id
--
-- Returns  1 if it was deleted, else 0
stored_key = KEYS[3]
local completed, caller, found = unpack(redis.call('HMGET', KEYS[1], 'completedAt', 'caller', 'found'))
if not completed or (ARGV[1] ~= '' and tonumber(completed) > tonumber(ARGV[1])) then
  return 0
end
uncount(KEYS[1], caller or '')
batch_forgotten(ARGV[2], ARGV[3], found or nil)
redis.call('UNLINK', KEYS[1], KEYS[2])
return 1
