-- include request-status.lua
--
-- What comes of the results that calls start. A result stands with its task:
--
--   result      Defender's id, while the task is in the index `results`
--   outcome     running | succeeded | failed | cancelled | unknown; none where results are not followed
--   shown       Defender's own word for its state, none before Defender was read
--   checkedAt   when Defender was read last, ms
--   beganAt, overAt   as Defender shows them, ms
--   why         where the outcome is unknown: not_ended, not_shown, other_machine, not_readable, unfamiliar
--   until       until when it is followed, ms
--   attached    1 where it ran before the call
--
-- A request reads them there while its result is followed, and has copies of its own from the end on.
--
--   results            task id -> time (ms) at which Defender is read next
--   task:<id>:reused   the requests without the call that share its result: they came later
local results_key = space .. ':results'
local result_fields = { 'outcome', 'shown', 'checkedAt', 'beganAt', 'overAt', 'why' }

-- The fields of a result that has one of them, each with its value.
local function result_fields_of(task_key)
  local values, found = redis.call('HMGET', task_key, unpack(result_fields)), {}
  for i, name in ipairs(result_fields) do
    if values[i] then
      found[#found + 1], found[#found + 2] = name, values[i]
    end
  end
  return found, values[1] or nil
end

-- The result of a request is followed from now on. `batch_id` is nil where it has none.
local function follow_result_of(request_id, batch_id)
  redis.call('ZADD', index_outcome, 0, 'running:' .. request_id)
  if batch_id then
    count(batch_id, 'results:running', 1)
  end
end

-- The result of a request has ended; `callback` is nil where it has none.
local function note_outcome(request_id, outcome, batch_id, callback)
  redis.call('ZADD', index_outcome, 0, outcome .. ':' .. request_id)
  if batch_id then
    count(batch_id, 'results:' .. outcome, 1)
  end
  if callback then
    redis.call('RPUSH', callbacks_key, 'ended:' .. request_id)
  end
end

-- Takes a request out of those whose result is followed.
--
-- Returns  whether it was one of them
local function unfollow_result_of(request_id, batch_id)
  if redis.call('ZREM', index_outcome, 'running:' .. request_id) == 0 then
    return false
  end
  if batch_id then
    count(batch_id, 'results:running', -1)
  end
  return true
end

-- Ends the result of a request, once. `fields` are names, each with its value.
--
-- Returns  whether it ended by this
local function end_result_of(request_id, outcome, fields)
  local request_key = space .. ':request:' .. request_id
  local status, batch_id, callback = unpack(redis.call('HMGET', request_key, 'status', 'batch', 'callback'))
  if not unfollow_result_of(request_id, batch_id or nil) or not status then
    return false
  end
  redis.call('HSET', request_key, unpack(fields))
  note_outcome(request_id, outcome, batch_id or nil, callback or nil)
  return true
end
