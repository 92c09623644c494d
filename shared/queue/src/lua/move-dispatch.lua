-- Moves a dispatch and every request that it serves, in one step: begun, given back, settled.
--
-- KEYS  1 counts   2 waiting   3 sending            (see store-keys.ts)
-- ARGV  1 key space   2 dispatch id   3 call id or '' when no call is concerned
--       4 state it must be in: waiting | sending     5 state it gets: waiting | sending | settled
--       6 status its open requests get               7 retention of what is settled, in ms
--       8 JSON object: fields to set on each of these requests
--
-- Returns  {1, number of requests moved}
--          {0, present state or 'missing', call id it is in the hands of or ''}
-- Writes   all or nothing. Begun or settled again with the same call id it changes nothing and returns {1, 0}: a client
--          may send a script twice. A move out of 'sending' is refused to any call but the one that began it.
local counts_key, waiting_key, sending_key = KEYS[1], KEYS[2], KEYS[3]
local space, dispatch_id, call_id = ARGV[1], ARGV[2], ARGV[3]
local from, to, status, retention = ARGV[4], ARGV[5], ARGV[6], tonumber(ARGV[7])

local dispatch_key = space .. ':dispatch:' .. dispatch_id
local state, owner, machine, first, created = unpack(
  redis.call('HMGET', dispatch_key, 'state', 'call', 'machine', 'first', 'createdAt'))
state, owner = state or 'missing', owner or ''
if state == to and owner == call_id then
  return { 1, 0 }
end
if state ~= from or (from == 'sending' and owner ~= call_id) then
  return { 0, state, owner }
end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local fields = {}
for name, value in pairs(cjson.decode(ARGV[8])) do
  fields[#fields + 1] = name
  fields[#fields + 1] = tostring(value)
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
  redis.call('HSET', request_key, 'status', status, unpack(fields))
  if status == 'dispatching' then
    redis.call('HSET', request_key, 'dispatchedAt', now)
  elseif status == 'queued' then
    redis.call('HDEL', request_key, 'dispatchedAt')
  else
    redis.call('PEXPIRE', request_key, retention)
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
redis.call('ZREM', from == 'waiting' and waiting_key or sending_key, dispatch_id)
if to == 'sending' then
  redis.call('HSET', dispatch_key, 'sentAt', now)
  redis.call('ZADD', sending_key, now, dispatch_id)
elseif to == 'waiting' then
  redis.call('HSET', dispatch_key, 'call', '')
  redis.call('ZADD', waiting_key, created, dispatch_id)
else
  local machine_key = space .. ':machine:' .. machine
  if redis.call('GET', machine_key) == dispatch_id then
    redis.call('DEL', machine_key)
  end
  redis.call('PEXPIRE', dispatch_key, retention)
  redis.call('PEXPIRE', dispatch_key .. ':joined', retention)
end
return { 1, moved }
