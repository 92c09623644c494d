-- Moves a dispatch and every request that it serves, in one step: begun, given back, looked up, settled.
--
-- KEYS  1 counts   2 waiting   3 sending   4 reconciling     (see store-keys.ts)
-- ARGV  1 key space   2 dispatch id   3 call id or '' when no call is concerned
--       4 states it may be in, separated by |: waiting, sending, reconciling
--       5 state it gets: waiting | sending | reconciling | settled
--       6 status its open requests get               7 retention of what is settled, in ms
--       8 JSON object: fields to set on each of these requests
--       9 calls to add to those made for it; none when it was being looked up, whose call is counted already
--      10 what is in doubt, for 'reconciling'       11 ms until Defender is asked for the first time
--
-- Returns  {1, number of requests moved}
--          {0, present state or 'missing', call id it is in the hands of or ''}
-- Writes   all or nothing. Begun, looked up or settled again with the same call id it changes nothing and returns
--          {1, 0}: a client may send a script twice. A move out of 'sending' or 'reconciling' is refused to any call but
--          the one that began it. The reason for which it is looked up stands in its requests for as long as it is.
local counts_key, waiting_key, sending_key, reconciling_key = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local space, dispatch_id, call_id = ARGV[1], ARGV[2], ARGV[3]
local from, to, status, retention = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])
local calls_to_add, cause, first_look_in = tonumber(ARGV[9]), ARGV[10], tonumber(ARGV[11])

local dispatch_key = space .. ':dispatch:' .. dispatch_id
local state, owner, machine, first, created, calls = unpack(
  redis.call('HMGET', dispatch_key, 'state', 'call', 'machine', 'first', 'createdAt', 'calls'))
state, owner, calls = state or 'missing', owner or '', tonumber(calls) or 0
if state == to and owner == call_id then
  return { 1, 0 }
end
local is_allowed = string.find('|' .. from .. '|', '|' .. state .. '|', 1, true)
if not is_allowed or (state ~= 'waiting' and owner ~= call_id) then
  return { 0, state, owner }
end
if state ~= 'reconciling' then
  calls = calls + calls_to_add
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local given = cjson.decode(ARGV[8])
local fields = {}
for name, value in pairs(given) do
  fields[#fields + 1] = name
  fields[#fields + 1] = tostring(value)
end
if calls > 0 then
  fields[#fields + 1] = 'attempts'
  fields[#fields + 1] = calls
end

local is_open = { queued = true, dispatching = true }

local function move_in_batch(batch_id, old_status)
  local batch_key = space .. ':batch:' .. batch_id
  -- Never sealed and gone by itself: counting on would bring it back, for ever.
  if redis.call('EXISTS', batch_key) == 0 then
    return
  end
  redis.call('HINCRBY', batch_key, old_status, -1)
  redis.call('HINCRBY', batch_key, status, 1)
  if is_open[status] then
    return
  end
  local queued, dispatching, accepting = unpack(redis.call('HMGET', batch_key, 'queued', 'dispatching', 'accepting'))
  if not accepting and (tonumber(queued) or 0) == 0 and (tonumber(dispatching) or 0) == 0 then
    redis.call('HSET', batch_key, 'completedAt', now)
    redis.call('PEXPIRE', batch_key, retention)
    redis.call('PEXPIRE', batch_key .. ':items', retention)
  end
end

local function move_request(request_id)
  local request_key = space .. ':request:' .. request_id
  local old_status, batch_id = unpack(redis.call('HMGET', request_key, 'status', 'batch'))
  if not is_open[old_status] then
    return 0
  end
  if state == 'reconciling' then
    redis.call('HDEL', request_key, 'error')
  end
  redis.call('HSET', request_key, 'status', status, unpack(fields))
  if to == 'sending' then
    redis.call('HSET', request_key, 'dispatchedAt', now)
  elseif status == 'queued' then
    redis.call('HDEL', request_key, 'dispatchedAt')
  elseif to == 'settled' then
    redis.call('PEXPIRE', request_key, retention)
  end
  if status == old_status then
    return 1
  end
  redis.call('HINCRBY', counts_key, old_status, -1)
  redis.call('HINCRBY', counts_key, status, 1)
  if batch_id then
    move_in_batch(batch_id, old_status)
  end
  return 1
end

local moved = move_request(first)
local joined = redis.call('LRANGE', dispatch_key .. ':joined', 0, -1)
for i = 1, #joined do
  moved = moved + move_request(joined[i])
end

redis.call('HSET', dispatch_key, 'state', to, 'call', call_id)
if calls > 0 then
  redis.call('HSET', dispatch_key, 'calls', calls)
end
redis.call('ZREM', ({ waiting = waiting_key, sending = sending_key, reconciling = reconciling_key })[state], dispatch_id)
if state == 'reconciling' then
  redis.call('HDEL', dispatch_key, 'cause', 'error')
end
if to == 'sending' then
  redis.call('HSET', dispatch_key, 'sentAt', now)
  redis.call('ZADD', sending_key, now, dispatch_id)
elseif to == 'waiting' then
  redis.call('HSET', dispatch_key, 'call', '')
  redis.call('ZADD', waiting_key, created, dispatch_id)
elseif to == 'reconciling' then
  -- Kept with the dispatch too: a request that joins now gets the same reason.
  redis.call('HSET', dispatch_key, 'cause', cause, 'error', given.error)
  redis.call('ZADD', reconciling_key, now + first_look_in, dispatch_id)
else
  local machine_key = space .. ':machine:' .. machine
  if redis.call('GET', machine_key) == dispatch_id then
    redis.call('DEL', machine_key)
  end
  redis.call('PEXPIRE', dispatch_key, retention)
  redis.call('PEXPIRE', dispatch_key .. ':joined', retention)
end
return { 1, moved }
