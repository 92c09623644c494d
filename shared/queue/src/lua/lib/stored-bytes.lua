-- include now.lua
--
-- How many bytes are stored of each caller. A script that stores something of a caller, ends it or deletes it sets `stored_key`.
--
--   stored           caller -> bytes
--   stored:<time>    caller -> bytes of it that Redis will have deleted by then (ms)
--   stored:times     these times
--
-- What is counted has in its record how much it counts, `b`, and once it is to go by itself, until when, `countedUntil`: so
-- what is taken back is what was added. A request that counts as much as most do has no `b`, and what has no caller never
-- counts. Entries of the audit log have no record: that they go by themselves is known from the first. What goes by itself is taken back some time after it went, with all that goes in the same 48th of the time for
-- which it is kept.
local stored_key
local spans_kept = 48
-- The same as in stored-bytes.ts.
local usual_bytes = 1900

local function add_to(key, caller, by)
  if by ~= 0 and redis.call('HINCRBY', key, caller, by) <= 0 then
    redis.call('HDEL', key, caller)
  end
end

-- Counts so much (more) for a record of this caller.
local function count_bytes(record_key, caller, by)
  redis.call('HINCRBY', record_key, 'b', by)
  add_to(stored_key, caller, by)
end

-- Returns  the bytes that count for a record, nil for none; the time that they are kept under, nil while it stays
local function counted(record_key)
  local bytes, time, caller, doc = unpack(redis.call('HMGET', record_key, 'b', 'countedUntil', 'caller', 'doc'))
  return tonumber(bytes) or (caller and doc and usual_bytes) or nil, time or nil
end

-- A record stays until it is ended or deleted.
local function stays(record_key, caller)
  local bytes, time = counted(record_key)
  if bytes and time then
    add_to(stored_key .. ':' .. time, caller, -bytes)
    redis.call('HDEL', record_key, 'countedUntil')
  end
end

-- So much of what counts goes by itself in so many ms from now.
--
-- Returns  the time under which it is kept until it is taken back
local function add_going(caller, bytes, kept)
  local span = math.max(1, math.ceil(kept / spans_kept))
  local time = string.format('%.0f', math.ceil((now + kept) / span) * span)
  if redis.call('HINCRBY', stored_key .. ':' .. time, caller, bytes) == bytes then
    redis.call('ZADD', stored_key .. ':times', time, time)
  end
  return time
end

-- What a caller leaves in the audit log counts for as long as the log keeps it, whatever becomes of the request that it was
-- done to.
local function count_entry(caller, bytes, kept)
  add_to(stored_key, caller, bytes)
  add_going(caller, bytes, kept)
end

-- A record goes by itself in so many ms from now; or later than was said before.
local function goes_in(record_key, caller, kept)
  local bytes, earlier = counted(record_key)
  if not bytes then
    return
  elseif earlier then
    add_to(stored_key .. ':' .. earlier, caller, -bytes)
  end
  redis.call('HSET', record_key, 'countedUntil', add_going(caller, bytes, kept))
end

-- A record is about to be deleted.
local function uncount(record_key, caller)
  stays(record_key, caller)
  add_to(stored_key, caller, -(counted(record_key) or 0))
end

-- Returns  how many bytes are stored of a caller, without what has gone by itself
local function stored_now(caller)
  for _, time in ipairs(redis.call('ZRANGE', stored_key .. ':times', '-inf', string.format('%.0f', now), 'BYSCORE')) do
    local gone_key = stored_key .. ':' .. time
    local gone = redis.call('HGETALL', gone_key)
    for i = 1, #gone, 2 do
      add_to(stored_key, gone[i], -tonumber(gone[i + 1]))
    end
    redis.call('DEL', gone_key)
    redis.call('ZREM', stored_key .. ':times', time)
  end
  return tonumber(redis.call('HGET', stored_key, caller)) or 0
end
