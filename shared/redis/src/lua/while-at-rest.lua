-- Ends a script before it has done anything while the slot of its keys is moved to another server: it stands in front of all
-- scripts in a Redis Cluster. There, each command on a key that is not on this server fails, and what is not there can be
-- with the other server already, or can exist nowhere. So a script would stop half done.
--
-- KEYS  1 any key of the script: its hash tag is what matters
redis.call('EXISTS', KEYS[1] .. ':none')
