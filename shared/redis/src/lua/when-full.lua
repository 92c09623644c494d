-- Lets a script run also while Redis is full; it stands in front of all that write, but for those that take new work in:
-- they are refused.
--
-- A full server refuses a script's command that could take memory, unless the script has written before: then it could not
-- be stopped half done. So the first command is a write that changes nothing. (Redis 7 has the flag `allow-oom` for this;
-- its first line would be no Lua to older servers. This works on all of them, and for scripts of libraries too.)
--
-- KEYS  1 any key of the script: its hash tag is what matters
redis.call('DEL', KEYS[1] .. ':none')
