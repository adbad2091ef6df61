-- SPDX-License-Identifier: MIT
-- Proven here: the module loads once for a state and says its version; when memory is short while
-- it loads, that is an error like any other, and the next require loads it.
local harness = require("harness")
local same = harness.same

if memory then
    local refusals = 0
    for n = 1, 100 do
        memory.fail_at(n)
        local loaded, message = pcall(require, "thinair_jose")
        memory.fail_at(0)
        collectgarbage()
        if loaded then
            break
        end
        same(message:find("out of memory", 1, true) ~= nil, true)
        same(memory.live(), 0)
        refusals = refusals + 1
    end
    same(refusals > 0, true)
end

local jose = require("thinair_jose")
local tests = {}

function tests.loads_once()
    same(require("thinair_jose"), jose)
    same(jose._VERSION:match("^%d+%.%d+%.%d+$") ~= nil, true)
end

-- What one copy of the table made, the next one takes: the state has one crypto port.
function tests.loads_again_when_it_was_forgotten()
    local key = assert(jose.generate())
    package.loaded.thinair_jose = nil
    local again = require("thinair_jose")
    same(again.verify(jose.sign(key, "text"), key, "ES256"), "text")
    package.loaded.thinair_jose = jose
end

-- Keys that are alive when the state is closed, and used by a finalizer that runs after theirs.
late = setmetatable({}, {__gc = function(self)
    local used, message = pcall(jose.sign, self.key, "text")
    if used or not message:find("closed", 1, true) then
        print("a key was used after its end: " .. tostring(message))
        os.exit(1, false)
    end
end})
late.key = assert(jose.generate())

harness.run(tests)
