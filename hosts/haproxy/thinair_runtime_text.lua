-- SPDX-License-Identifier: MIT
-- What HAProxy's runtime API prints, as values, and what it is told, as text. Pure: no socket, no
-- clock. HAProxy 2.6 and 3.2 print the same lines but for the status of a transaction; lines that
-- are not known here are passed over, so that a later HAProxy may print more.

local text = {}

local MONTHS = {Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
                Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12}

-- Days from 1970-01-01 to a date of the Gregorian calendar; years begin in March here.
local function days(year, month, day)
    local shifted = year - (month <= 2 and 1 or 0)
    local leap_days = shifted // 4 - shifted // 100 + shifted // 400
    local month_days = (153 * ((month + 9) % 12) + 2) // 5
    return 365 * shifted + leap_days + month_days + day - 719469
end

-- text.time("Feb 21 19:09:54 2027 GMT"): seconds since 1970-01-01 UTC, or nil.
function text.time(written)
    local month, day, hour, minute, second, year =
        written:match("^(%a%a%a) +(%d+) (%d%d):(%d%d):(%d%d) (%d%d%d%d+) GMT$")
    if not MONTHS[month] then
        return nil
    end
    local date = days(math.tointeger(tonumber(year)), MONTHS[month], math.tointeger(tonumber(day)))
    return date * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

-- How each line of `show ssl cert NAME` is taken.
local LINES = {
    Filename = function(found, value) found.store = value:gsub("^%*", "") end,
    Status = function(found, value) found.status = value:lower() end,
    Serial = function(found, value) found.serial = value end,
    notBefore = function(found, value) found.not_before_s = text.time(value) end,
    notAfter = function(found, value) found.not_after_s = text.time(value) end,
    Algorithm = function(found, value) found.key_type = value:match("^%w+$") end,
    ["SHA1 FingerPrint"] = function(found, value) found.sha1 = value end,
    Subject = function(found, value) found.subject = value end,
    Issuer = function(found, value) found.issuer = value end,
    ["Chain Subject"] = function(found, value) table.insert(found.chain, value) end,
    ["Subject Alternative Name"] = function(found, value)
        for name in value:gmatch("DNS:([^,%s]+)") do
            table.insert(found.names, name)
        end
    end,
}

-- text.certificates(answer): what one or several `show ssl cert NAME` printed, in that order:
--   store         the name that HAProxy knows the certificate by
--   status        "used", "unused", "empty"; "uncommitted" in 3.2
--   serial, sha1  in hexadecimal, as printed
--   names         the DNS names among the subject alternative names: HAProxy shows no others
--   not_before_s, not_after_s    seconds since 1970-01-01 UTC
--   key_type      "EC256", "RSA2048"; HAProxy stops there for a key of another kind (Ed25519)
--   subject, issuer
--   chain         subjects of the certificates sent after the leaf; empty: only the leaf is sent
-- Of an empty store only store, status, names and chain are there.
function text.certificates(answer)
    local all, found = {}, nil
    for key, value in answer:gmatch("([^:\n]+): ?([^\n]*)") do
        if key == "Filename" then
            found = {names = {}, chain = {}}
            table.insert(all, found)
        end
        if found and LINES[key] then
            LINES[key](found, value)
        end
    end
    return all
end

-- text.stores(answer): the names that `show ssl cert` lists, in its order; and the name that a
-- transaction is open for, or nil. HAProxy has one transaction at a time.
function text.stores(answer)
    local names, transaction, section = {}, nil, nil
    for line in answer:gmatch("[^\n]+") do
        if line:match("^# ") then
            section = line
        elseif section == "# transaction" then
            transaction = line:gsub("^%*", "")
        elseif section == "# filename" then
            table.insert(names, line)
        end
    end
    return names, transaction
end

-- Words of a text, in order.
local function words(line)
    local found = {}
    for word in line:gmatch("%S+") do
        table.insert(found, word)
    end
    return found
end

-- text.crt_list(answer): what `show ssl crt-list -n NAME` printed: of each entry its store, line,
-- options ("alpn h2,http/1.1", "" when none) and names (the filters; empty: those of the
-- certificate). HAProxy prints a zero byte after the protocols of alpn.
function text.crt_list(answer)
    local entries = {}
    for line in answer:gmatch("[^\n]+") do
        local store, number, rest = line:match("^([^#%s]%S*):(%d+)(.*)$")
        if store then
            local options, filters = rest:match("^%s*%[(.-)%](.*)$")
            table.insert(entries, {
                store = store, line = math.tointeger(tonumber(number)),
                options = table.concat(words((options or ""):gsub("%c", " ")), " "),
                names = words(filters or rest),
            })
        end
    end
    return entries
end

-- text.crt_list_line(entry): the line of a crt-list with the entry's store, options and names: what
-- HAProxy is told, and what its file holds for the next start.
function text.crt_list_line(entry)
    local parts = {entry.store}
    if entry.options and entry.options ~= "" then
        table.insert(parts, "[" .. table.concat(words(entry.options), " ") .. "]")
    end
    for _, name in ipairs(entry.names or {}) do
        table.insert(parts, name)
    end
    return table.concat(parts, " ")
end

-- text.buffer_size(answer): the size of HAProxy's buffers (tune.bufsize), from `show pools`; or
-- nil. No command and its payload may fill one.
function text.buffer_size(answer)
    return math.tointeger(tonumber(answer:match("Pool buffer %((%d+) bytes%)")))
end

-- text.quoted(name): a name as one word of a command.
function text.quoted(name)
    return (name:gsub("[\\ ;<>\"'#]", "\\%0"))
end

-- text.payload(pem): without empty lines and carriage returns: an empty line ends a payload.
function text.payload(pem)
    local kept = {}
    for line in pem:gmatch("[^\r\n]+") do
        if line:find("%S") then
            table.insert(kept, line)
        end
    end
    return table.concat(kept, "\n")
end

-- text.pem_blocks(pem): the certificates, in order, and the private keys, as PEM texts.
function text.pem_blocks(pem)
    local certificates, keys = {}, {}
    local border = "%-%-%-%-%-"
    local pattern = "(" .. border .. "BEGIN ([%u%d ]+)" .. border .. ".-" .. border .. "END %2"
        .. border .. ")"
    for block, label in pem:gmatch(pattern) do
        local whole = block .. "\n"
        if label == "CERTIFICATE" then
            table.insert(certificates, whole)
        elseif label:match("PRIVATE KEY$") then
            table.insert(keys, whole)
        end
    end
    return certificates, keys
end

-- RFC 5280 section 4.1.2.2: 20 bytes; one more for those who count the sign apart.
local SERIAL_SIZE_MAX = 21

-- The first bytes of base64 text, which goes on until another character.
local function decoded(base64, size)
    local alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    local bytes, held, bits = {}, 0, 0
    for one in base64:gmatch("%S") do
        local value = alphabet:find(one, 1, true)
        if not value or #bytes >= size then
            break
        end
        held, bits = (held << 6 | value - 1) & 0xffff, bits + 6
        if bits >= 8 then
            bits = bits - 8
            table.insert(bytes, held >> bits & 0xff)
        end
    end
    return bytes
end

-- Where the content of a DER element begins, and how long it is said to be; nil: not that element.
local function content(bytes, place, tag)
    local size = bytes[place + 1]
    if bytes[place] ~= tag or not size then
        return nil
    elseif size < 0x80 then
        return place + 2, size
    elseif size > 0x84 then
        return nil
    end
    local value = 0
    for index = place + 2, place + 1 + (size & 0x7f) do
        value = value << 8 | (bytes[index] or 0)
    end
    return place + 2 + (size & 0x7f), value
end

-- text.serial(pem): the serial number of the first certificate, in hexadecimal without leading
-- zeros, as text.same_serial takes it; or nil. RFC 5280 section 4.1: Certificate, TBSCertificate,
-- [0] version, serialNumber.
function text.serial(pem)
    local base64 = pem:match("%-%-%-%-%-BEGIN CERTIFICATE%-%-%-%-%-([^-]*)")
    local bytes = base64 and decoded(base64, 128) or {}
    local place = content(bytes, 1, 0x30)
    place = place and content(bytes, place, 0x30)
    local version, version_size = content(bytes, place or 0, 0xa0)
    local from, size = content(bytes, version and version + version_size or place or 0, 0x02)
    if not from or size < 1 or size > SERIAL_SIZE_MAX or from + size - 1 > #bytes then
        return nil
    end
    local digits = {}
    for index = from, from + size - 1 do
        table.insert(digits, string.format("%02X", bytes[index]))
    end
    return (table.concat(digits):gsub("^0+", ""))
end

-- text.same_serial(serial, printed): is it the one that HAProxy prints?
function text.same_serial(serial, printed)
    return printed ~= nil and serial == printed:upper():gsub("^0+", "")
end

-- text.last_words(answer): what HAProxy said, on one line: the reason of a refusal.
function text.last_words(answer)
    local said = answer:gsub("%s*\n%s*", " "):gsub("^%s+", ""):gsub("%s+$", "")
    return said ~= "" and said or "HAProxy closed the connection without an answer"
end

return text
