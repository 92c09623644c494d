-- include lib/open-task.lua, lib/detach.lua
--
-- Gives a task the machine that its name stands for: its requests say so from now on, and where another task with the
-- coalescing key that follows is open, they join that one.
--
-- KEYS  see lib/request-status.lua
-- ARGV  3 task id   4 the look that found it out   5 machine id   6 how many may join a task
--
-- Returns  {'resolved' or 'joined', id of the task that they have now, its job priority}; of one that was joined 0 where its job
--          keeps its place
--          {'left', '', 0}: it does not wait any more, or is another look's by now; nothing is written
--          {'full', '', 0}: the other task has no room for them: this one is looked at again later
-- Writes   'machineId' and the coalescing key in what each request asked, its index by machine; of the task machine and key; or of
--          the other task the requests that joined and, where this one stood better, its place. Then this one is settled
local task_id, look_id, machine_id, most_joined = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local task_key, unresolved_key = space .. ':task:' .. task_id, space .. ':unresolved'

local state, name, old_key, first, looked_by, look_until, priority, virtual_start, job_priority = unpack(redis.call('HMGET',
  task_key, 'state', 'machine', 'key', 'first', 'lookBy', 'lookUntil', 'priority', 'virtualStart', 'jobPriority'))
if state ~= 'waiting' or looked_by ~= look_id or now > (tonumber(look_until) or 0) or not first or not name
  or not string.find(name, '=', 1, true) then
  return { 'left', '', 0 }
end
old_key = old_key or name
local new_key = machine_id .. string.sub(old_key, #name + 1)
local requests = redis.call('ZRANGE', task_key .. ':joined', 0, -1)
table.insert(requests, 1, first)

local other_id = redis.call('HGET', machines_key, new_key)
local other = other_id and read_task(other_id, '')
if other then
  other.came = {}
end
if other and other.joined + #requests > most_joined then
  redis.call('HDEL', task_key, 'lookBy', 'lookAt')
  return { 'full', '', 0 }
end

-- What a request asked begins with its coalescing key, see admission/accept-requests.ts.
local function name_machine(request_key)
  local doc = doc_of(request_key) or ''
  local prefix = '{"key":"' .. old_key .. '",'
  if string.sub(doc, 1, #prefix) ~= prefix then
    return
  end
  local key = new_key ~= machine_id and '"key":"' .. new_key .. '",' or ''
  local parts = {}
  add_doc(parts, '{' .. key .. '"machineId":"' .. machine_id .. '",' .. string.sub(doc, #prefix + 1))
  redis.call('HDEL', request_key, unpack(doc_parts))
  redis.call('HSET', request_key, unpack(parts))
end

for i, request_id in ipairs(requests) do
  local request_key = space .. ':request:' .. request_id
  name_machine(request_key)
  redis.call('HDEL', request_key, 'warnings')
  if other or i > 1 or new_key ~= machine_id then
    redis.call('ZADD', index_machine, 0, machine_id .. ':' .. request_id)
  end
end
redis.call('ZREM', unresolved_key, task_id)
redis.call('HDEL', task_key, 'lookBy', 'lookAt', 'lookUntil', 'seenMachine', 'warnings')
if redis.call('HGET', machines_key, old_key) == task_id then
  redis.call('HDEL', machines_key, old_key)
end

if not other then
  redis.call('HSET', machines_key, new_key, task_id)
  redis.call('HSET', task_key, 'machine', machine_id)
  if new_key == machine_id then
    redis.call('HDEL', task_key, 'key')
  else
    redis.call('HSET', task_key, 'key', new_key)
  end
  return { 'resolved', task_id, tonumber(job_priority) or highest_job_priority }
end

for _, request_id in ipairs(requests) do
  local request_key = space .. ':request:' .. request_id
  local batch_id, callback, not_after = unpack(redis.call('HMGET', request_key, 'batch', 'callback', 'notAfter'))
  local whose = caller_of_request(request_key)
  local status, shared = join(other, request_id, not_after or '', '', now)
  redis.call('HSET', request_key, 'task', other_id, unpack(shared))
  if whose ~= '' then
    redis.call('HINCRBY', space .. ':task:' .. other_id, joined_by(whose), 1)
  end
  if status ~= 'queued' then
    redis.call('ZREM', deadlines_key, request_id)
    change_status(request_id, 'queued', status, machine_id, batch_id, callback)
  end
end
if redis.call('HEXISTS', task_key, 'forced') == 1 then
  other.forced = true
end
local moved_to = 0
job_priority = tonumber(job_priority)
if other.state == 'waiting' and job_priority and job_priority < other.job_priority then
  -- It takes over the better place, and the class that this is in where that is the more urgent one.
  if urgency[priority] < urgency[other.priority] then
    count_waiting(other.priority, -1)
    count_waiting(priority, 1)
    redis.call('HSET', space .. ':task:' .. other_id, 'priority', priority, 'virtualStart', virtual_start)
  end
  redis.call('HSET', space .. ':task:' .. other_id, 'jobPriority', job_priority)
  other.promoted, moved_to = true, job_priority
end
write_task(new_key, other, '', now)
redis.call('ZREM', waiting_key, task_id)
count_waiting(priority, -1)
close_task(task_id, new_key, look_id)
redis.call('DEL', task_key .. ':joined')
redis.call('HDEL', task_key, 'first')
write_counts()
return { 'joined', other_id, moved_to }
