#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: one certificate with 100 names over http-01 and one with 5 over tls-alpn-01, both key
# types, from a strict Pebble that refuses three nonces of ten: every name is in the certificate and
# none besides, and each certificate took one order and no more.
export PEBBLE_WFE_NONCEREJECT=30
. "$(dirname "$0")/program.sh"
begin

# check ID NAMES...: both key types are stored, and have exactly these names.
check() {
    local id=$1 type live wanted
    shift
    wanted=$(printf '%s\n' "$@" | sort)
    for type in ecdsa-p256 rsa-2048; do
        live=$place/state/live/$id/$type
        openssl verify -CAfile "$PEBBLE_ROOT" -untrusted "$live/fullchain.pem" \
            "$live/fullchain.pem" >"$place/verify.log" 2>&1 || fail "$id $type: bad chain"
        [ "$(openssl x509 -in "$live/fullchain.pem" -noout -ext subjectAltName |
            grep -o 'DNS:[^, ]*' | cut -d: -f2 | sort)" = "$wanted" ] ||
            fail "$id $type: not the names that were asked for"
    done
}

join() {
    local IFS=,
    echo "$*"
}

orders_count() {
    grep -c 'Added order' "$PEBBLE_LOG"
}

mapfile -t hundred < <(seq -f 'n%03.0f.example' 1 100)
mapfile -t five < <(seq -f 't%.0f.example' 1 5)
started=$SECONDS
expect 0 "stored:" "$thinair" issue --name "$(join "${hundred[@]}")" --key "ecdsa-p256,rsa-2048" \
    "${common[@]}" --agree-terms --challenge http-01
took=$((SECONDS - started))
check "${hundred[0]}" "${hundred[@]}"
[ "$(orders_count)" -eq 2 ] || fail "$(orders_count) orders for two certificates"
expect 0 "stored:" "$thinair" issue --name "$(join "${five[@]}")" --key "ecdsa-p256,rsa-2048" \
    "${common[@]}" --agree-terms --challenge tls-alpn-01 --listen "127.0.0.1:$PEBBLE_TLS_PORT"
check "${five[0]}" "${five[@]}"
[ "$(orders_count)" -eq 4 ] || fail "$(orders_count) orders for four certificates"
echo "passed: 100 names twice in $took s, $(requests_count) requests in all"
