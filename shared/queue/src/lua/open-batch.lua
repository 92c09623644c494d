-- include lib/stored-bytes.lua
--
-- Writes a batch's record and the next part of its list of items. Written again, in part or whole, by an attempt that
-- repeats one which broke off, it changes nothing: a part goes in only where the list ends.
--
-- KEYS  1 batch   2 items of the batch   3 stored   (see store-keys.ts)
-- ARGV  1 created at, ms   2 items in all   3 rejected ones   4 ms after which an unsealed batch goes away
--       5 who asked, or ''   6 the bytes that count for record and list
--       7 digests by which it is found (batch-index.lua), or ''
--       8 index of the first item given here, then the items: request id, or JSON of a rejected one
--
-- Returns  1; 0 when the batch was sealed already
local batch_key, items_key = KEYS[1], KEYS[2]
local created, total, rejected, retention, caller, bytes, found = unpack(ARGV)
local offset = tonumber(ARGV[8])
stored_key = KEYS[3]

local present, accepting = unpack(redis.call('HMGET', batch_key, 'total', 'accepting'))
if present and not accepting then
  return 0
end
redis.call('HSET', batch_key, 'createdAt', created, 'total', total, 'accepting', 1)
if caller ~= '' then
  redis.call('HSET', batch_key, 'caller', caller)
end
if found ~= '' then
  redis.call('HSET', batch_key, 'found', found)
end
if caller ~= '' and not present then
  count_bytes(batch_key, caller, bytes)
end
-- More may have been refused since.
redis.call('HSETNX', batch_key, 'rejected', rejected)
if redis.call('LLEN', items_key) == offset then
  redis.call('RPUSH', items_key, unpack(ARGV, 9))
end
redis.call('PEXPIRE', batch_key, retention)
redis.call('PEXPIRE', items_key, retention)
goes_in(batch_key, caller, tonumber(retention))
return 1
