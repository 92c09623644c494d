-- include stored-bytes.lua, batch-index.lua
--
-- Completes a batch that is sealed and has nothing open any more: from now on it is kept for its retention, and its callback
-- is due. Scripts set `stored_key`, see stored-bytes.lua.
-- When none of the results of its requests is followed any more it has ended too, and that callback is due; one of which no
-- result was followed never ends so.
--
-- Returns  whether it is complete by this
local function complete_batch(batch_key, batch_id, kept, due_key)
  local queued, dispatching, accepting, completed, ended, callback, caller, found = unpack(redis.call('HMGET', batch_key,
    'queued', 'dispatching', 'accepting', 'completedAt', 'endedAt', 'callback', 'caller', 'found'))
  if accepting or (tonumber(queued) or 0) > 0 or (tonumber(dispatching) or 0) > 0 then
    return false
  end
  if not completed then
    redis.call('HSET', batch_key, 'completedAt', now)
    redis.call('PEXPIRE', batch_key, kept)
    redis.call('PEXPIRE', batch_key .. ':items', kept)
    goes_in(batch_key, caller or '', kept)
    batch_ended(string.sub(batch_key, 1, -#(':batch:' .. batch_id) - 1), batch_id, found or nil, now + kept)
    if callback then
      redis.call('RPUSH', due_key, 'batch:' .. batch_id)
    end
  end
  local running, succeeded, failed, cancelled, unknown = unpack(redis.call('HMGET', batch_key,
    'results:running', 'results:succeeded', 'results:failed', 'results:cancelled', 'results:unknown'))
  if not ended and (tonumber(running) or 0) <= 0 and (running or succeeded or failed or cancelled or unknown) then
    redis.call('HSET', batch_key, 'endedAt', now)
    if callback then
      redis.call('RPUSH', due_key, 'batch-ended:' .. batch_id)
    end
  end
  return not completed
end
