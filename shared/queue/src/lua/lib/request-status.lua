-- include indexes.lua, complete-batch.lua, queue-length.lua
--
-- The status of requests, and what all scripts share that change it.
--
-- KEYS  1 counts   2 waiting   3 in_flight   4 reconciling   5 deadlines   6 order   7 callbacks due    (see store-keys.ts)
-- ARGV  1 key space   2 retention of what is settled, in ms
--
-- A script that calls `change_status` or `detach` calls `write_counts` once at its end.
local counts_key, waiting_key, in_flight_key, reconciling_key, deadlines_key, order_key, callbacks_key = unpack(KEYS)
local space, retention = ARGV[1], tonumber(ARGV[2])
local machines_key, callers_key = space .. ':machines', space .. ':counts:callers'
local sources_key = space .. ':counts:sources'
stored_key = space .. ':stored'

local is_open = { queued = true, dispatching = true }

-- By batch id, '' for all requests: status -> by how much its number changes. All requests end through these counts, once
-- each, and none that ended is taken out of them: what is counted under '' for a status that is an end never falls.
local changes = { [''] = {} }

local function count(batch_id, status, by)
  changes[batch_id] = changes[batch_id] or {}
  changes[batch_id][status] = (changes[batch_id][status] or 0) + by
end

-- Caller -> by how much the number of its queued requests changes.
local queued_changes = {}

local function count_queued(caller, status, by)
  if caller ~= '' and status == 'queued' then
    queued_changes[caller] = (queued_changes[caller] or 0) + by
  end
end

-- Source, '' for none -> by how much the number of its queued requests changes. Callers choose sources: there are never more of
-- them here than requests that are queued.
local source_changes = {}

local function count_source(source, status, by)
  if status == 'queued' then
    source_changes[source] = (source_changes[source] or 0) + by
  end
end

-- Who asked for a request, '' where that is not known.
local function caller_of_request(request_key)
  local caller, more = unpack(redis.call('HMGET', request_key, 'caller', 'caller1'))
  return (caller or '') .. (more or '')
end

-- The field of a task that counts which of its requests this caller has joined to it; short, see indexes.lua.
local function joined_by(caller)
  return 'by:' .. (#caller <= 40 and caller or redis.sha1hex(caller))
end

-- Gives a request another status. `batch_id` and `callback` are its fields, nil where it has none.
local function change_status(request_id, old_status, status, machine, batch_id, callback)
  local request_key = space .. ':request:' .. request_id
  redis.call('HSET', request_key, 'status', status)
  local is_moved = status ~= old_status and (old_status == 'queued' or status == 'queued')
  local found = (is_moved or not is_open[status]) and found_by(doc_of(request_key))
  if status ~= old_status then
    count('', old_status, -1)
    count('', status, 1)
    if is_moved then
      count_source(found.source, old_status, -1)
      count_source(found.source, status, 1)
      local caller = caller_of_request(request_key)
      count_queued(caller, old_status, -1)
      count_queued(caller, status, 1)
    end
    if batch_id then
      count(batch_id, old_status, -1)
      count(batch_id, status, 1)
    end
  end
  if is_open[status] then
    index_move(request_id, old_status, status)
    return
  end
  redis.call('HSET', request_key, 'endedAt', now)
  found.machine = machine
  index_end(request_id, old_status, status, found, now + retention)
  forget_ended()
  redis.call('PEXPIRE', request_key, retention)
  goes_in(request_key, caller_of_request(request_key), retention)
  if callback then
    redis.call('RPUSH', callbacks_key, request_id)
  end
end

-- Writes what `change_status` counted, and completes the batches that have nothing open any more.
local function write_counts()
  for caller, by in pairs(queued_changes) do
    if by ~= 0 and redis.call('HINCRBY', callers_key, caller, by) <= 0 then
      redis.call('HDEL', callers_key, caller)
    end
  end
  for source, by in pairs(source_changes) do
    if by ~= 0 and tonumber(redis.call('ZINCRBY', sources_key, by, source)) <= 0 then
      redis.call('ZREM', sources_key, source)
    end
  end
  note_length(changes[''].queued or 0)
  for batch_id, by_status in pairs(changes) do
    local key = batch_id == '' and counts_key or space .. ':batch:' .. batch_id
    -- A batch that was never sealed goes by itself: counting on would bring it back, for ever.
    if batch_id == '' or redis.call('EXISTS', key) == 1 then
      for status, by in pairs(by_status) do
        if by ~= 0 then
          redis.call('HINCRBY', key, status, by)
        end
      end
      -- With an empty queue the numbers by source begin anew, also those of requests that were recorded before there were any, or
      -- whose source cannot be read any more.
      if batch_id == '' and by_status.queued and tonumber(redis.call('HGET', key, 'queued') or 0) <= 0 then
        redis.call('DEL', sources_key)
      end
      if batch_id ~= '' then
        complete_batch(key, batch_id, retention, callbacks_key)
      end
    end
  end
end
