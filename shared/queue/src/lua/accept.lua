-- Records accepted requests, each with a task: the one that is open for its machine, or a new one. Where an
-- investigation of its machine was started only just now, the request is told of that one and gets no task.
-- This record is the acceptance. The queue's job for a task is added afterwards and can be added again from it.
--
-- KEYS  see detach.lua, which it stands behind, and order.lua
-- ARGV  3 batch id or ''   4 time of arrival, ms   5 JSON of the order's rules   6 how long ago an investigation may have
--       been started to be shared, in ms; 0 for never   7 how many may join a task   8 most requests queued, '' where
--       room was kept before (see reserve-backlog.lua)   9 most tasks waiting, or ''   10 who asked, or ''
--       11 most requests of one caller queued, or '' where there is no bound   12 how many of one caller may join a task
--       13 most bytes stored of one caller, or ''
--       then for each request:
--       request id, machine id, JSON of the request, id for a new task, its class, its flow (order.lua),
--       'not after' ms or '', source or '', callback or '', 1 if it is to share no earlier investigation, the bytes that count
--       for it
--
-- Returns  per request: task id; id of the request that it shares an investigation with, or ''; the task's
--          priority; what became of it: new, joined, promoted (the task has a better place than its job), reused,
--          full (too many joined, or too many of the caller: nothing is recorded, but the task is promoted by a more urgent
--          one all the same: then with its id and priority); the investigation it was told of, or ''
--          error BACKLOG_FULL <requests queued> <tasks waiting> <requests queued of the caller> when there is no room; then nothing is recorded
--          error STORAGE_FULL <bytes stored of the caller, with those that room is kept for> likewise
--          error ORDER_SCALE when the time is off the scale of the priorities; then nothing is recorded
-- Writes   request, task, the machine's open task, indexes and counts. A request id that is known already is
--          left as it is and answered the same way, because a client may send a script twice.
local batch_id, arrived_at, reuse_for, most_joined = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[6]), tonumber(ARGV[7])
local most_requests, most_tasks, caller = tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local most_of_caller, most_joined_of_caller, most_bytes = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
-- Of the first request; each has eleven arguments.
local first_argument, arguments = 14, 11

-- A task waits as long as its most patient request: without a deadline on one of them it has none.
local function extend_deadline(task_key, not_after)
  local present = redis.call('HGET', task_key, 'notAfter')
  if not present then
    return
  elseif not_after == '' then
    redis.call('HDEL', task_key, 'notAfter')
  elseif tonumber(not_after) > tonumber(present) then
    redis.call('HSET', task_key, 'notAfter', not_after)
  end
end

-- What a request shares with those that wait already: its status, and where their task stands.
local function join(task_id, request_id, not_after)
  local task_key = space .. ':task:' .. task_id
  local state, first, sent_at, why, calls = unpack(
    redis.call('HMGET', task_key, 'state', 'first', 'sentAt', 'error', 'calls'))
  redis.call('ZADD', task_key .. ':joined', arrived_at, request_id)
  if caller ~= '' then
    redis.call('HINCRBY', task_key, joined_by(caller), 1)
  end
  extend_deadline(task_key, not_after)
  local shared = { 'with', first }
  if calls then
    shared[3], shared[4] = 'attempts', calls
  end
  if state == 'in_flight' or state == 'reconciling' then
    shared[#shared + 1] = 'dispatchedAt'
    shared[#shared + 1] = sent_at
    if why then
      shared[#shared + 1] = 'error'
      shared[#shared + 1] = why
    end
    if state == 'reconciling' then
      count('', 'reconciling', 1)
    end
    return 'dispatching', shared
  end
  return 'queued', shared
end

-- What is read and written of all these requests at once: that is most of what recording them costs.
--   open     machine -> its open task, read or opened just now
--   recent   machine -> JSON of the investigation that was started last on it
--   known    whether one of the requests may be recorded already
--   and what is not written yet: members of indexes with their scores, fields with their values, bytes of the caller
local open, recent_starts, is_any_known, bytes_added = {}, {}, false, 0
local added = { waiting = {}, machines = {}, by_machine = {}, by_source = {}, listed = {}, deadlines = {} }

-- What is corrupt, or gone, cannot be joined: its machine gets a task of its own, and nobody is refused for it.
local function can_be_joined(task_id)
  local state, first, class, tag, rank = unpack(
    redis.call('HMGET', space .. ':task:' .. task_id, 'state', 'first', 'class', 'tag', 'priority'))
  return (state == 'waiting' or state == 'in_flight' or state == 'reconciling')
    and first and urgency[class] and tonumber(tag) and tonumber(rank) and true or false
end

local function read_ahead()
  local machines, recents, requests = {}, {}, {}
  for i = first_argument, #ARGV, arguments do
    machines[#machines + 1] = ARGV[i + 1]
    recents[#recents + 1] = space .. ':machine:' .. ARGV[i + 1] .. ':recent'
    requests[#requests + 1] = space .. ':request:' .. ARGV[i]
  end
  local tasks = redis.call('HMGET', machines_key, unpack(machines))
  local starts = reuse_for > 0 and redis.call('MGET', unpack(recents)) or {}
  for i, machine in ipairs(machines) do
    recent_starts[machine] = starts[i] or nil
    if tasks[i] and open[machine] == nil then
      open[machine] = can_be_joined(tasks[i]) and tasks[i] or nil
    end
  end
  is_any_known = redis.call('EXISTS', unpack(requests)) > 0
end

local function write_added()
  local function write(command, key, list)
    if #list > 0 then
      redis.call(command, key, unpack(list))
    end
  end
  write('ZADD', waiting_key, added.waiting)
  write('HSET', machines_key, added.machines)
  write('ZADD', deadlines_key, added.deadlines)
  write('ZADD', index_machine, added.by_machine)
  write('ZADD', index_source, added.by_source)
  for status, list in pairs(added.listed) do
    write('ZADD', index_listed .. status, list)
  end
  add_to(stored_key, caller, bytes_added)
end

local function append(list, first, second)
  list[#list + 1], list[#list + 2] = first, second
end

-- See indexes.lua.
local function index_new(id, status, machine, source, has_joined)
  added.listed[status] = added.listed[status] or {}
  append(added.listed[status], 0, id)
  if has_joined then
    append(added.by_machine, 0, machine .. ':' .. id)
  end
  if source ~= '' then
    append(added.by_source, 0, source .. '\0' .. id)
  end
end

-- The investigation of this machine that was started recently enough to be shared, nil for none.
local function recent_of(machine_id)
  local json = recent_starts[machine_id]
  local recent = json and cjson.decode(json)
  return recent and now - tonumber(recent.startedAt) < reuse_for and recent or nil
end

local function open_task(task_id, machine_id, request_id, class, flow, not_after)
  local task_key = space .. ':task:' .. task_id
  local tag = next_tag(class, flow, arrived_at)
  take_turn(class, flow, tag, arrived_at)
  local rank = rank_of(class, tag)
  local fields = { 'state', 'waiting', 'machine', machine_id, 'first', request_id,
    'class', class, 'tag', tag, 'priority', rank, 'createdAt', arrived_at }
  if not_after ~= '' then
    append(fields, 'notAfter', not_after)
  end
  redis.call('HSET', task_key, unpack(fields))
  append(added.machines, machine_id, task_id)
  append(added.waiting, arrived_at, task_id)
  add_waiting(class, 1)
  open[machine_id] = task_id
  return rank
end

-- Whether as many have joined as may, of all callers or of this one.
local function is_joined_by_many(task_id)
  local task_key = space .. ':task:' .. task_id
  if redis.call('ZCARD', task_key .. ':joined') >= most_joined then
    return true
  end
  local joined = caller ~= '' and redis.call('HGET', task_key, joined_by(caller))
  return joined and tonumber(joined) >= most_joined_of_caller
end

-- Returns  whether it was recorded; the rank of its task if it opened one, or has promoted one without joining it; the
--          id of the latter
local function record(request_id, machine_id, doc, new_task, class, flow, not_after, source, callback, is_forced,
    bytes)
  local request_key = space .. ':request:' .. request_id
  local task_id, rank = open[machine_id], nil
  local recent = not task_id and is_forced ~= '1' and recent_of(machine_id)
  local status, shared = 'queued', {}
  if task_id then
    local promoted_to, is_promoted = promote(task_id, class, flow, arrived_at)
    if is_promoted then
      redis.call('HSET', space .. ':task:' .. task_id, 'promoted', 1)
    end
    if is_joined_by_many(task_id) then
      return false, is_promoted and promoted_to or nil, task_id
    end
    status, shared = join(task_id, request_id, not_after)
  elseif recent then
    task_id, status = recent.task, 'started'
    shared = { 'with', recent.request, 'investigationId', recent.investigation, 'reused', 1 }
    if recent.attached then
      shared[#shared + 1] = 'attached'
      shared[#shared + 1] = 1
    end
  else
    task_id = new_task
    rank = open_task(task_id, machine_id, request_id, class, flow, not_after)
  end
  local fields = { 'status', status, 'task', task_id, unpack(shared) }
  for name, value in pairs({ batch = batch_id, notAfter = not_after, callback = callback }) do
    if value ~= '' then
      append(fields, name, value)
    end
  end
  add_caller(fields, caller)
  if caller ~= '' then
    bytes_added = bytes_added + bytes
  end
  if caller ~= '' and tonumber(bytes) ~= usual_bytes then
    append(fields, 'b', bytes)
  end
  add_doc(fields, doc)
  redis.call('HSET', request_key, unpack(fields))
  if status == 'queued' and not_after ~= '' then
    append(added.deadlines, not_after, request_id)
  end
  count('', status, 1)
  count_queued(caller, status, 1)
  if batch_id ~= '' then
    count(batch_id, status, 1)
  end
  index_new(request_id, status, machine_id, source, #shared > 0)
  if status == 'started' then
    change_status(request_id, status, status, machine_id, nil, callback ~= '' and callback or nil)
  end
  return true, rank
end

local function answer_for(request_id)
  local task_id, with, reused, investigation = unpack(
    redis.call('HMGET', space .. ':request:' .. request_id, 'task', 'with', 'reused', 'investigationId'))
  if reused then
    return { task_id, with, '0', 'reused', investigation }
  end
  local rank, promoted = unpack(redis.call('HMGET', space .. ':task:' .. task_id, 'priority', 'promoted'))
  return { task_id, with or '', rank, promoted and 'promoted' or with and 'joined' or 'new', '' }
end

local function accept(request_id, ...)
  if is_any_known and redis.call('HEXISTS', space .. ':request:' .. request_id, 'task') == 1 then
    return answer_for(request_id)
  end
  local is_recorded, rank, promoted = record(request_id, ...)
  if not is_recorded then
    return { rank and promoted or '', '', tostring(rank or 0), 'full', '' }
  elseif rank then
    local _, _, _, new_task = request_id, ...
    return { new_task, '', tostring(rank), 'new', '' }
  end
  return answer_for(request_id)
end

-- Why there is no room, nil where there is. What was recorded before is answered as it was, however full it is by now.
local function no_room()
  local requests, tasks, of_caller, reserved_bytes =
    backlog_now(counts_key, waiting_key, callers_key, space .. ':reservations', caller, now)
  local size, bytes = (#ARGV - first_argument + 1) / arguments, 0
  for i = first_argument + arguments - 1, #ARGV, arguments do
    bytes = bytes + ARGV[i]
  end
  local stored = most_bytes and stored_now(caller, now) + reserved_bytes
  if is_any_known then
    return nil
  elseif not fits_backlog(size, requests, tasks, of_caller, most_requests, most_tasks, most_of_caller) then
    return string.format('BACKLOG_FULL %d %d %d', requests, tasks, of_caller)
  elseif most_bytes and stored + bytes > most_bytes then
    return string.format('STORAGE_FULL %.0f', stored)
  end
end

read_ahead()
local refusal = most_requests and no_room()
if refusal then
  return redis.error_reply(refusal)
end
if not open_order(ARGV[5], arrived_at) then
  return redis.error_reply('ORDER_SCALE the time of arrival is beyond the last priority of the queue')
end
local replies = {}
for i = first_argument, #ARGV, arguments do
  for _, part in ipairs(accept(unpack(ARGV, i, i + arguments - 1))) do
    replies[#replies + 1] = part
  end
end
write_added()
write_order(arrived_at)
write_counts()
return replies
