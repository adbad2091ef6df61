#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A real Pebble with its challenge test server, on free loopback ports, for one test.
#
#   tests/interop/pebble.sh COMMAND...     start, run COMMAND with the variables below, stop
#   . tests/interop/pebble.sh              then pebble_start ... pebble_stop
#
# pebble_start sets traps for EXIT, INT and TERM that stop it: a script with traps of its own sets
# them later, and calls pebble_stop in them.
#
# Every name resolves to 127.0.0.1 (and to nothing in IPv6). After pebble_start these are exported:
#
#   PEBBLE_URL           the directory
#   PEBBLE_CA            PEM: the root to believe when talking to Pebble
#   PEBBLE_ROOT          PEM: the root of the certificates that it issues (new at every start)
#   PEBBLE_HTTP_PORT     where it validates http-01: listen there, on 127.0.0.1
#   PEBBLE_TLS_PORT      where it validates tls-alpn-01
#   PEBBLE_MANAGEMENT    its management interface
#   PEBBLE_CHALLTESTSRV  the challenge test server's management interface
#   PEBBLE_PID           its process, for measurements
#   PEBBLE_LOG           what it said
#   PEBBLE_DIR           everything of this start; pebble_stop removes it
#
# Set before, to choose: PEBBLE_VALIDITY_S (certificate lifetime), PEBBLE_EAB_KID and PEBBLE_EAB_MAC
# (base64url: an account then needs external account binding), PEBBLE_BLOCKED (a name that it
# refuses to issue for, with all below it), PEBBLE_STRICT (1), PEBBLE_BINARY,
# and Pebble's own PEBBLE_VA_NOSLEEP (1), PEBBLE_WFE_NONCEREJECT (5), PEBBLE_AUTHZREUSE (50).
#
# Pebble is kept on one core: on two it deadlocks under load.

PEBBLE_TRIES=8

# pebble_free_port: a loopback port that nobody listens on, below the range that connect() uses.
pebble_free_port() {
    local port
    while :; do
        port=$((12000 + (RANDOM << 3 ^ RANDOM) % 20000))
        if ! grep -qi ":$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

# pebble_core: the last core that this process may run on.
pebble_core() {
    taskset -cp $$ | sed 's/.*[ ,-]//'
}

# pebble_keys: the authority that signs Pebble's own TLS certificate, and that certificate.
pebble_keys() {
    cat >"$PEBBLE_DIR/leaf.cnf" <<END
subjectAltName = DNS:localhost, IP:127.0.0.1
basicConstraints = critical, CA:FALSE
extendedKeyUsage = serverAuth
END
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
        -subj "/CN=test CA front" -keyout "$PEBBLE_DIR/ca.key" -out "$PEBBLE_CA" &&
        openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=localhost" \
            -keyout "$PEBBLE_DIR/pebble.key" -out "$PEBBLE_DIR/pebble.csr" &&
        openssl x509 -req -in "$PEBBLE_DIR/pebble.csr" -days 2 -extfile "$PEBBLE_DIR/leaf.cnf" \
            -CA "$PEBBLE_CA" -CAkey "$PEBBLE_DIR/ca.key" -CAcreateserial \
            -out "$PEBBLE_DIR/pebble.pem"
}

# pebble_config PORT MANAGEMENT_PORT: one file for all versions; unknown members are ignored.
pebble_config() {
    local validity=${PEBBLE_VALIDITY_S:-7776000} required=false keys= blocked=
    if [ -n "${PEBBLE_BLOCKED:-}" ]; then
        blocked="\"domainBlocklist\": [\"$PEBBLE_BLOCKED\"],"
    fi
    if [ -n "${PEBBLE_EAB_KID:-}" ]; then
        required=true
        keys="\"externalAccountMACKeys\": {\"$PEBBLE_EAB_KID\": \"$PEBBLE_EAB_MAC\"},"
    fi
    cat >"$PEBBLE_DIR/pebble.json" <<END
{"pebble": {
    "listenAddress": "127.0.0.1:$1", "managementListenAddress": "127.0.0.1:$2",
    "certificate": "$PEBBLE_DIR/pebble.pem", "privateKey": "$PEBBLE_DIR/pebble.key",
    "httpPort": $PEBBLE_HTTP_PORT, "tlsPort": $PEBBLE_TLS_PORT,
    "ocspResponderURL": "", "externalAccountBindingRequired": $required, $keys $blocked
    "certificateValidityPeriod": $validity,
    "profiles": {"default": {"description": "the only one", "validityPeriod": $validity}}
}}
END
}

# pebble_dns MANAGEMENT_PORT DNS_PORT: the challenge test server, as DNS only.
pebble_dns() {
    local flag=-dns01
    if pebble-challtestsrv -h 2>&1 | grep -q -- -dnsserver; then
        flag=-dnsserver
    fi
    pebble-challtestsrv -management "127.0.0.1:$1" "$flag" "127.0.0.1:$2" -http01 "" -https01 "" \
        -tlsalpn01 "" -defaultIPv4 127.0.0.1 -defaultIPv6 "" >>"$PEBBLE_DIR/dns.log" 2>&1 &
    PEBBLE_DNS_PID=$!
}

# pebble_ready: wait until both answer; fails as soon as one of them has ended.
pebble_ready() {
    local deadline=$((SECONDS + 30))
    while [ "$SECONDS" -lt "$deadline" ]; do
        kill -0 "$PEBBLE_PID" 2>/dev/null && kill -0 "$PEBBLE_DNS_PID" 2>/dev/null || return 1
        if curl -sf --noproxy '*' --cacert "$PEBBLE_CA" -o "$PEBBLE_ROOT" \
            "$PEBBLE_MANAGEMENT/roots/0" &&
            curl -sf --noproxy '*' --cacert "$PEBBLE_CA" -o /dev/null "$PEBBLE_URL" &&
            curl -sf --noproxy '*' -o /dev/null -d '{"ip": "127.0.0.1"}' \
                "$PEBBLE_CHALLTESTSRV/set-default-ipv4"; then
            return 0
        fi
        sleep 0.05
    done
    return 1
}

# pebble_try: one start, on ports that were free a moment ago.
pebble_try() {
    local port management dns dns_management strict=()
    port=$(pebble_free_port)
    management=$(pebble_free_port)
    dns=$(pebble_free_port)
    dns_management=$(pebble_free_port)
    PEBBLE_HTTP_PORT=$(pebble_free_port)
    PEBBLE_TLS_PORT=$(pebble_free_port)
    PEBBLE_URL="https://localhost:$port/dir"
    PEBBLE_MANAGEMENT="https://localhost:$management"
    PEBBLE_CHALLTESTSRV="http://127.0.0.1:$dns_management"
    if [ "${PEBBLE_STRICT:-1}" = 1 ]; then
        strict=(-strict)
    fi
    pebble_config "$port" "$management"
    pebble_dns "$dns_management" "$dns"
    PEBBLE_VA_NOSLEEP=${PEBBLE_VA_NOSLEEP-1} taskset -c "$(pebble_core)" \
        "${PEBBLE_BINARY:-pebble}" -config "$PEBBLE_DIR/pebble.json" "${strict[@]}" \
        -dnsserver "127.0.0.1:$dns" >>"$PEBBLE_LOG" 2>&1 &
    PEBBLE_PID=$!
    pebble_ready
}

# pebble_end: stop the two processes of the latest try.
pebble_end() {
    local pid
    for pid in ${PEBBLE_PID:-} ${PEBBLE_DNS_PID:-}; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    PEBBLE_PID=
    PEBBLE_DNS_PID=
}

# pebble_start: start and export; on failure says why on standard error and returns 1.
pebble_start() {
    local try
    PEBBLE_DIR=$(mktemp -d "${TMPDIR:-/tmp}/pebble.XXXXXX") || return 1
    PEBBLE_CA=$PEBBLE_DIR/ca.pem
    PEBBLE_ROOT=$PEBBLE_DIR/root.pem
    PEBBLE_LOG=$PEBBLE_DIR/pebble.log
    trap pebble_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    if ! pebble_keys 2>"$PEBBLE_DIR/openssl.log"; then
        cat "$PEBBLE_DIR/openssl.log" >&2
        return 1
    fi
    for ((try = 0; try < PEBBLE_TRIES; try++)); do
        if pebble_try; then
            export PEBBLE_URL PEBBLE_CA PEBBLE_ROOT PEBBLE_HTTP_PORT PEBBLE_TLS_PORT \
                PEBBLE_MANAGEMENT PEBBLE_CHALLTESTSRV PEBBLE_PID PEBBLE_LOG PEBBLE_DIR
            return 0
        fi
        pebble_end
    done
    echo "pebble did not start:" >&2
    tail -n 20 "$PEBBLE_LOG" "$PEBBLE_DIR/dns.log" >&2
    return 1
}

# pebble_stop: end what was started, by process id, and remove its files. Harmless twice.
pebble_stop() {
    pebble_end
    if [ -n "${PEBBLE_DIR:-}" ]; then
        rm -rf -- "$PEBBLE_DIR"
        PEBBLE_DIR=
    fi
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    if [ $# -eq 0 ]; then
        sed -n '4,/^$/s/^# \{0,1\}//p' "$0" >&2
        exit 2
    fi
    pebble_start || exit 1
    "$@"
    exit $?
fi
