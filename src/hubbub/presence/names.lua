-- Claims words for one owner on one node, all of them or none.
--
-- ARGV: namespace, node, owner, how long an unrenewed claim is kept in milliseconds, how many words are needed, the
--   words: the needed ones come first
-- Gives 1 if they are claimed; 0 if another owner has a needed word on a node that lives; -1 if this node has no lease.
-- Other words are claimed beside whoever has them.
--
-- Keys, after the namespace:
--   node:NODE   the node's lease; it is there while the node lives
--   held:WORD   set of who has the word: owner .. ' ' .. node

local call = redis.call
local namespace, me, owner, kept, needed = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

local function lives(node)
    return call('EXISTS', namespace .. 'node:' .. node) == 1
end

if not lives(me) then
    return -1
end
for index = 6, 5 + needed do
    local held = namespace .. 'held:' .. ARGV[index]
    for _, holder in ipairs(call('SMEMBERS', held)) do
        local other, node = string.match(holder, '^(%S*) (%S+)$')
        if not lives(node) then
            call('SREM', held, holder)
        elseif other ~= owner then
            return 0
        end
    end
end
for index = 6, #ARGV do
    local held = namespace .. 'held:' .. ARGV[index]
    call('SADD', held, owner .. ' ' .. me)
    call('PEXPIRE', held, kept)
end
return 1
