#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: `thinair issue` obtains both key types over http-01 and over tls-alpn-01, does
# nothing the second time, orders when the wish changes, runs the hook, refuses without
# --agree-terms after the directory, tells the CA's words when it fails, and `list`,
# `status` and `renew` agree.
. "$(dirname "$0")/program.sh"
begin

cat >"$place/hook" <<END
#!/bin/sh
echo "\$THINAIR_ID \$THINAIR_KEY_TYPE \$THINAIR_GENERATION \$THINAIR_LIVE" >>$place/hook.txt
test -s "\$THINAIR_LIVE/bundle.pem"
END
chmod 700 "$place/hook"
wish=(--name a.example,www.a.example --key "ecdsa-p256,rsa-2048" --on-installed "$place/hook")

# Without the terms: their address, nothing asked for but the directory, status 2.
others_count() {
    grep 'calling handler' "$PEBBLE_LOG" | grep -vc 'GET /dir '
}
before=$(others_count)
expect 2 "data:text/plain" "$thinair" issue "${wish[@]}" "${common[@]}"
expect 2 "start again with --agree-terms" "$thinair" issue "${wish[@]}" "${common[@]}"
[ "$(others_count)" -eq "$before" ] || fail "more than the directory was asked for"

# Both key types, files for other programs, the hook.
expect 0 "stored: $place/state/live/a.example/" \
    "$thinair" issue "${wish[@]}" "${common[@]}" --agree-terms
for type in ecdsa-p256 rsa-2048; do
    live=$place/state/live/a.example/$type
    openssl verify -CAfile "$PEBBLE_ROOT" -untrusted "$live/fullchain.pem" \
        -verify_hostname www.a.example "$live/fullchain.pem" >/dev/null || fail "$type: bad chain"
    [ "$(openssl pkey -in "$live/privkey.pem" -pubout)" = \
        "$(openssl x509 -in "$live/fullchain.pem" -noout -pubkey)" ] || fail "$type: wrong key"
    [ "$(stat -c %a "$live/privkey.pem")" = 600 ] || fail "$type: open to others"
    grep -q "^a.example $type 1 $live\$" "$place/hook.txt" || fail "$type: the hook did not run"
done

# The second time nothing is sent.
before=$(requests_count)
expect 0 "nothing to do: a.example is valid until" \
    "$thinair" issue "${wish[@]}" "${common[@]}" --agree-terms
[ "$(requests_count)" -eq "$before" ] || fail "something was sent"
[ "$(wc -l <"$place/hook.txt")" -eq 2 ] || fail "the hook ran again"

# Other names, or renew: ordered at once.
expect 0 "stored:" "$thinair" issue --name a.example,b.example --id a.example "${common[@]}"
openssl x509 -in "$place/state/live/a.example/ecdsa-p256/fullchain.pem" -noout -ext subjectAltName |
    grep -q "DNS:a.example, DNS:b.example" || fail "the names did not change"
before=$(openssl x509 -noout -serial -in "$place/state/live/a.example/ecdsa-p256/fullchain.pem")
expect 0 "stored:" "$thinair" renew --name a.example,b.example --id a.example "${common[@]}"
[ "$(openssl x509 -noout -serial -in "$place/state/live/a.example/ecdsa-p256/fullchain.pem")" != \
    "$before" ] || fail "renew renewed nothing"

# tls-alpn-01, and only that.
expect 0 "stored:" "$thinair" issue --name t.example --challenge tls-alpn-01 --ca "$PEBBLE_URL" \
    --ca-file "$PEBBLE_CA" --state "$place/state" --listen "127.0.0.1:$PEBBLE_TLS_PORT"

# A failed validation: the CA's own words, status 1; the certificates that are there stay.
expect 1 "connection refused" "$thinair" issue --name f.example --ca "$PEBBLE_URL" \
    --ca-file "$PEBBLE_CA" --state "$place/state" --http "127.0.0.1:0"
expect 0 "t.example" "$thinair" list --state "$place/state"
expect 0 "last error" "$thinair" status f.example --state "$place/state"
expect 0 "stored:" "$thinair" issue --name f.example "${common[@]}" # at once, not when it is due
expect 0 '"id":"a.example"' "$thinair" status a.example --json --state "$place/state"
expect 1 "has no certificate called nobody" "$thinair" status nobody --state "$place/state"
expect 2 "no daemon answers at" "$thinair" renew --state "$place/state"
echo "passed"
