-- include lib/stored-bytes.lua
--
-- Takes an Idempotency-Key for one attempt at carrying out its request, unless it was answered or another attempt is at it.
--
-- KEYS  1 idempotency record   2 stored             (see store-keys.ts)
-- ARGV  1 digest of the request   2 name of the attempt   3 lease, ms: an attempt that is not renewed is taken for dead
--       4 ms for which the record is kept   5 seed for the ids of what it records   6 time ms
--       7 who asks, or ''   8 the bytes that count for the record
--
-- Returns  {'claimed', seed, time, 1 when an earlier attempt broke off else 0}
--          {'answered'} | {'reused'}: the key stands for another request | {'in-flight', ms until the lease ends}
-- Writes   seed and time of the first attempt stay: a repeat records under the same ids. Sent twice by one
--          attempt it answers the same.
local key = KEYS[1]
local digest, attempt, lease, keep, seed, at, caller, bytes = unpack(ARGV)
stored_key = KEYS[2]

local known, answer, owner, leased_until, first_seed, first_at = unpack(
  redis.call('HMGET', key, 'digest', 'answer', 'owner', 'until', 'seed', 'at'))
if known and known ~= digest then
  return { 'reused' }
elseif answer then
  return { 'answered' }
elseif owner and owner ~= attempt and tonumber(leased_until) > now then
  return { 'in-flight', tonumber(leased_until) - now }
end
redis.call('HSET', key, 'digest', digest, 'owner', attempt, 'until', now + tonumber(lease),
  'seed', first_seed or seed, 'at', first_at or at)
redis.call('PEXPIRE', key, keep)
if not known and caller ~= '' then
  count_bytes(key, caller, bytes)
end
goes_in(key, caller, tonumber(keep))
return { 'claimed', first_seed or seed, first_at or at, (first_seed and first_seed ~= seed) and 1 or 0 }
