-- SPDX-License-Identifier: MIT
-- TLS records (RFC 8446 section 5.1), read whole of a socket.

local records = {}

local HEADER_SIZE = 5
local RECORD_SIZE_MAX = 16384 + 2048

-- The next record, header and all; nil when the other side ends before, or sends none.
function records.receive(source)
    local header = source:receive(HEADER_SIZE)
    local size = header and #header == HEADER_SIZE and header:byte(4) * 256 + header:byte(5)
    if not size or size > RECORD_SIZE_MAX then
        return nil
    end
    local content = size > 0 and source:receive(size) or ""
    if not content or #content < size then
        return nil
    end
    return header .. content
end

return records
