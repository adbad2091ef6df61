-- SPDX-License-Identifier: MIT
-- Beside the manual's example: services that sign with keys of OpenSSL's making, and one that says
-- what each call costs. Loaded for HAProxy to run while it serves.
local jose = require("thinair_jose")
local folder = os.getenv("JOSE_FOLDER")

local function read(name)
    local file = assert(io.open(folder .. "/" .. name))
    local text = file:read("a")
    file:close()
    return text
end

local keys = {}
for _, kind in ipairs({"p256", "p384", "rsa4096"}) do
    keys[kind] = assert(jose.import(read(kind .. ".pem")))
end
local rsa_pem = keys.rsa4096:pem()

local function answer(applet, text)
    applet:set_status(200)
    applet:add_header("content-type", "text/plain")
    applet:start_response()
    applet:send(text)
end

-- GET /sign/<key>: a JWS of "payload".
core.register_service("sign", "http", function(applet)
    local key = keys[applet.path:match("^/sign/(%w+)$")]
    answer(applet, assert(jose.sign(key, "payload", {kid = key:thumbprint()})))
end)

-- The processor's time for one call, in ms: the least of some, because others use it too.
local function cost(f)
    local least
    for _ = 1, 7 do
        local begun = os.clock()
        assert(f())
        local spent = (os.clock() - begun) * 1000
        least = math.min(least or spent, spent)
    end
    return least
end

local many = {exp = os.time() + 3600, list = {}}
for i = 1, 4000 do
    many.list[i] = i
end

-- GET /cost: a line for each call, with its milliseconds.
core.register_service("cost", "http", function(applet)
    local key, long = keys.rsa4096, ("x"):rep(190000)
    local jws = assert(jose.sign(key, long))
    local flattened = assert(jose.sign(key, long, nil, "flattened"))
    local token = assert(jose.jwt_sign(key, many))
    local calls = {
        {"generate ecdsa-p384", function() return jose.generate("ecdsa-p384") end},
        {"import rsa-4096", function() return jose.import(rsa_pem) end},
        {"sign rsa-4096, 190 kB", function() return jose.sign(key, long) end},
        {"verify rsa-4096, 190 kB", function() return jose.verify(jws, key, "RS256") end},
        {"verify flattened", function() return jose.verify(flattened, key, "RS256") end},
        {"header of 250 kB", function() return jose.header(jws) end},
        {"jwt_sign of 4,000 values", function() return jose.jwt_sign(key, many) end},
        {"jwt_verify of 4,000 values",
         function() return jose.jwt_verify(token, key, {algorithms = "RS256"}) end},
    }
    local lines = {}
    for _, call in ipairs(calls) do
        lines[#lines + 1] = string.format("%s: %.3f", call[1], cost(call[2]))
    end
    answer(applet, table.concat(lines, "\n") .. "\n")
end)
