-- SPDX-License-Identifier: MIT
-- What the suites of our Lua modules share: tests with claims for names, and assertions that say
-- what they saw. harness.run() raises when a test failed.
local harness = {}

local function shown(value)
    return type(value) == "string" and string.format("%q", value) or tostring(value)
end

function harness.same(seen, expected)
    if seen ~= expected then
        error("saw " .. shown(seen) .. ", not " .. shown(expected), 2)
    end
end

-- The convention for failures: nil and a sentence, which has the given part.
function harness.refused(part, value, sentence, ...)
    if value ~= nil or type(sentence) ~= "string" or not sentence:find(part, 1, true)
        or select("#", ...) > 0 then
        error("saw " .. shown(value) .. ", " .. shown(sentence) .. ", not nil and ..."
              .. shown(part), 2)
    end
end

-- A wrong argument raises, and the message has the given part.
function harness.raised(part, f, ...)
    local done, message = pcall(f, ...)
    if done or not tostring(message):find(part, 1, true) then
        error((done and "nothing was raised" or "saw " .. shown(message)) .. ", not ..."
              .. shown(part), 2)
    end
end

-- Run f with each allocation failing in turn: first the house's, then Lua's. f returns true when it
-- was done, or nil and a sentence. Only the runner can do this.
function harness.every_allocation(f)
    if not memory then
        return
    end
    local n, done, sentence = 0, nil, nil
    repeat
        n = n + 1
        memory.fail_at(n)
        done, sentence = f()
        memory.fail_at(0)
        if not done and sentence ~= "out of memory" then
            error("allocation " .. n .. ": " .. shown(sentence))
        end
        collectgarbage()
    until done
    local count = -1
    repeat
        count = count + 1
        collectgarbage()
        local whole, result = memory.starve(count, f)
        if whole and not result or not whole and result ~= "not enough memory" then
            error("with " .. count .. " allocations: " .. shown(result))
        end
    until whole
    if n < 2 or count < 1 then
        error("nothing was allocated")
    end
end

-- Run f; what it leaves is collected. Answers whether it was done, why not, and how many blocks of
-- the house's were left.
local function run_once(f)
    collectgarbage()
    local before = memory and memory.live() or 0
    local done, message = xpcall(f, debug.traceback)
    collectgarbage()
    return done, message, (memory and memory.live() or 0) - before
end

-- Run the tests by name, each twice: the first may leave what is made once, the second nothing.
function harness.run(tests)
    local names = {}
    for name in pairs(tests) do
        names[#names + 1] = name
    end
    table.sort(names)
    local failed = 0
    for _, name in ipairs(names) do
        local left
        local done, message = run_once(tests[name])
        if done then
            done, message, left = run_once(tests[name])
        end
        if done and left ~= 0 then
            done, message = false, left .. " blocks are left"
        end
        print((done and "passed " or "FAILED ") .. name .. (done and "" or ": " .. message))
        failed = failed + (done and 0 or 1)
    end
    if failed > 0 then
        error(failed .. " of " .. #names .. " failed", 0)
    end
end

return harness
