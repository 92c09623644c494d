-- include stored-bytes.lua, batch-index.lua
--
-- Completes a batch that is sealed and has nothing open any more: from now on it is kept for its retention, and its callback
-- is due. Scripts set `stored_key`, see stored-bytes.lua.
--
-- Returns  whether it is complete by this
local function complete_batch(batch_key, batch_id, kept, due_key)
  local queued, dispatching, accepting, completed, callback, caller, found = unpack(
    redis.call('HMGET', batch_key, 'queued', 'dispatching', 'accepting', 'completedAt', 'callback', 'caller', 'found'))
  if accepting or completed or (tonumber(queued) or 0) > 0 or (tonumber(dispatching) or 0) > 0 then
    return false
  end
  redis.call('HSET', batch_key, 'completedAt', now)
  redis.call('PEXPIRE', batch_key, kept)
  redis.call('PEXPIRE', batch_key .. ':items', kept)
  goes_in(batch_key, caller or '', kept)
  batch_ended(string.sub(batch_key, 1, -#(':batch:' .. batch_id) - 1), batch_id, found or nil, now + kept)
  if callback then
    redis.call('RPUSH', due_key, 'batch:' .. batch_id)
  end
  return true
end
