-- include lib/detach.lua, lib/results.lua
--
-- Deletes requests that have ended, before their retention is over: with their tasks and what indexes hold of them.
-- It only frees, so it runs on a full server.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 of this caller alone, or ''   4 … ids of requests, or members of the index `ended`
--
-- Returns  {how many were deleted, how many stay: open, or another caller's}, then the batches of those that were deleted
local whose = ARGV[3]

local deleted, kept, batches, is_known = 0, 0, {}, {}

-- A task goes with the last of its requests; until then the next one that joined takes the first one's place, as in
-- detach.lua. One that shares an earlier result is none of them; while its end is waited for the task stays.
local function leave(task_key, task_id, id)
  local state, first = unpack(redis.call('HMGET', task_key, 'state', 'first'))
  if state ~= 'settled' then
    return
  elseif first == id then
    first = redis.call('ZPOPMIN', task_key .. ':joined')[1]
    if first then
      redis.call('HSET', task_key, 'first', first)
    end
  else
    redis.call('ZREM', task_key .. ':joined', id)
  end
  if not first and redis.call('ZCARD', task_key .. ':joined') + redis.call('ZCARD', task_key .. ':reused') == 0 then
    redis.call('DEL', task_key, task_key .. ':joined')
    redis.call('ZREM', results_key, task_id)
  end
end

local function delete(id, request_key, task_id, batch_id)
  local task_key = space .. ':task:' .. (task_id or '')
  if redis.call('HEXISTS', request_key, 'reused') == 0 then
    leave(task_key, task_id or '', id)
  else
    redis.call('ZREM', task_key .. ':reused', id)
  end
  uncount(request_key, caller_of_request(request_key))
  redis.call('DEL', request_key)
  if batch_id and not is_known[batch_id] then
    is_known[batch_id] = true
    batches[#batches + 1] = batch_id
  end
end

for i = 4, #ARGV do
  local id, ended_as, found = parse_ended(ARGV[i])
  id = id or ARGV[i]
  local request_key = space .. ':request:' .. id
  local status, task_id, batch_id = unpack(redis.call('HMGET', request_key, 'status', 'task', 'batch'))
  if status and (is_open[status] or (whose ~= '' and caller_of_request(request_key) ~= whose)) then
    kept = kept + 1
  elseif status then
    if not ended_as then
      ended_as, found = status, (found_by(doc_of(request_key)))
    end
    unfollow_result_of(id, batch_id or nil)
    index_forget(id, ended_as, found)
    delete(id, request_key, task_id, batch_id)
    deleted = deleted + 1
  elseif ended_as then
    -- Its retention is over already.
    index_forget(id, ended_as, found)
  end
end
write_counts()
return { deleted, kept, unpack(batches) }
