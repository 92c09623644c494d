-- Records accepted requests, each with a dispatch: the one that is open for its machine, or a new one.
-- This record is the acceptance. The queue's job for a dispatch is added afterwards and can be added again from it.
--
-- KEYS  1 counts   2 waiting                       (see store-keys.ts)
-- ARGV  1 key space   2 batch id or ''   3 time ms   then for each request:
--       request id, machine id, JSON of the request, id for a new dispatch, its priority, 'not after' ms or ''
--
-- Returns  per request: dispatch id; id of the dispatch's first request when it joined, or ''; the dispatch's priority
-- Writes   request, dispatch, the machine's open dispatch, indexes and counts. A request id that is known already is
--          left as it is and answered the same way, because a client may send a script twice.
local counts_key, waiting_key = KEYS[1], KEYS[2]
local space, batch_id, now = ARGV[1], ARGV[2], ARGV[3]

local replies = {}
local added = { queued = 0, dispatching = 0 }

-- A dispatch waits as long as its most patient request: without a deadline on one of them it has none.
local function extend_deadline(dispatch_key, not_after)
  local present = redis.call('HGET', dispatch_key, 'notAfter')
  if not present then
    return
  elseif not_after == '' then
    redis.call('HDEL', dispatch_key, 'notAfter')
  elseif tonumber(not_after) > tonumber(present) then
    redis.call('HSET', dispatch_key, 'notAfter', not_after)
  end
end

-- What a request shares with those that wait already: its status, and where their dispatch stands.
local function join(dispatch_id, request_id, not_after)
  local dispatch_key = space .. ':dispatch:' .. dispatch_id
  local state, first, sent_at, why, calls = unpack(
    redis.call('HMGET', dispatch_key, 'state', 'first', 'sentAt', 'error', 'calls'))
  redis.call('RPUSH', dispatch_key .. ':joined', request_id)
  extend_deadline(dispatch_key, not_after)
  local shared = { 'with', first }
  if calls then
    shared[3], shared[4] = 'attempts', calls
  end
  if state == 'sending' or state == 'reconciling' then
    shared[#shared + 1] = 'dispatchedAt'
    shared[#shared + 1] = sent_at
    if why then
      shared[#shared + 1] = 'error'
      shared[#shared + 1] = why
    end
    return first, 'dispatching', shared
  end
  return first, 'queued', shared
end

for i = 4, #ARGV, 6 do
  local request_id, machine_id, doc, new_dispatch, priority, not_after = unpack(ARGV, i, i + 5)
  local request_key = space .. ':request:' .. request_id
  local dispatch_id, joined = unpack(redis.call('HMGET', request_key, 'dispatch', 'with'))
  if not dispatch_id then
    local machine_key = space .. ':machine:' .. machine_id
    dispatch_id = redis.call('GET', machine_key)
    local status, shared = 'queued', nil
    if dispatch_id then
      joined, status, shared = join(dispatch_id, request_id, not_after)
      redis.call('HSET', request_key, 'doc', doc, 'status', status, 'dispatch', dispatch_id, unpack(shared))
    else
      dispatch_id = new_dispatch
      local dispatch_key = space .. ':dispatch:' .. dispatch_id
      redis.call('SET', machine_key, dispatch_id)
      redis.call('HSET', dispatch_key, 'state', 'waiting', 'machine', machine_id, 'first', request_id,
        'priority', priority, 'createdAt', now)
      if not_after ~= '' then
        redis.call('HSET', dispatch_key, 'notAfter', not_after)
      end
      redis.call('ZADD', waiting_key, now, dispatch_id)
      redis.call('HSET', request_key, 'doc', doc, 'status', status, 'dispatch', dispatch_id)
    end
    if batch_id ~= '' then
      redis.call('HSET', request_key, 'batch', batch_id)
    end
    added[status] = added[status] + 1
  end
  replies[#replies + 1] = dispatch_id
  replies[#replies + 1] = joined or ''
  replies[#replies + 1] = joined and redis.call('HGET', space .. ':dispatch:' .. dispatch_id, 'priority') or priority
end

for status, number in pairs(added) do
  if number > 0 then
    redis.call('HINCRBY', counts_key, status, number)
    if batch_id ~= '' then
      redis.call('HINCRBY', space .. ':batch:' .. batch_id, status, number)
    end
  end
end
return replies
