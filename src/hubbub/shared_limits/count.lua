-- Says how many a node has counted under one name, unless all nodes together would have too many.
--
-- ARGV: namespace, node, name, how many the node has, the most that all may have ('' for any number), how long a count
--   that is not told again is kept, in milliseconds
-- Gives 1 if that is the node's count now; 0 if there would be too many; -1 if the node has no lease.
-- A node says how many it has, not how many more or fewer: then a number that is lost or comes late does no harm.
--
-- Keys, after the namespace:
--   node:NODE   the node's lease; it is there while the node lives
--   of:NAME     hash: how many each node has

local call = redis.call
local namespace, me, count, most = ARGV[1], ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local counts = namespace .. 'of:' .. ARGV[3]

if call('EXISTS', namespace .. 'node:' .. me) == 0 then
    return -1
end
if most then
    local all = count
    local told = call('HGETALL', counts)
    for index = 1, #told, 2 do
        local node = told[index]
        if node ~= me then
            if call('EXISTS', namespace .. 'node:' .. node) == 1 then
                all = all + tonumber(told[index + 1])
            else
                call('HDEL', counts, node)
            end
        end
    end
    if all > most then
        return 0
    end
end
if count > 0 then
    call('HSET', counts, me, count)
    call('PEXPIRE', counts, ARGV[6])
else
    call('HDEL', counts, me)
end
return 1
