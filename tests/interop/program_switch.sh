#!/bin/bash
# SPDX-License-Identifier: MIT
# Proven here: started against one CA, then with --ca of a second one, the daemon serves the old
# certificate until the new one is there, and no handshake fails meanwhile: staging first, then the
# real CA. The second start asks nothing of the first CA, which is gone.
. "$(dirname "$0")/program.sh"
begin
start_page

start_daemon --name a.example --to "127.0.0.1:$page_port" "${common[@]}" --agree-terms \
    --listen "127.0.0.1:$PEBBLE_TLS_PORT"
wait_for fetch a.example
first_serial=$(serial a.example)
first_root=$place/first-root.pem
cp "$PEBBLE_ROOT" "$first_root"
front_port=$PEBBLE_TLS_PORT
first_http=$PEBBLE_HTTP_PORT
stop_daemon
pebble_stop

# The second CA checks other ports: listen there too.
pebble_start || exit 1
trap leave EXIT
start_daemon --name a.example --to "127.0.0.1:$page_port" --agree-terms --state "$place/state" \
    --ca "$PEBBLE_URL" --ca-file "$PEBBLE_CA" --http "127.0.0.1:$first_http" \
    --http "127.0.0.1:$PEBBLE_HTTP_PORT" --listen "127.0.0.1:$front_port" \
    --listen "127.0.0.1:$PEBBLE_TLS_PORT"
cat "$first_root" "$PEBBLE_ROOT" >"$place/both.pem"
fetch_anew() {
    curl -sS --fail --noproxy '*' --max-time 10 --cacert "$place/both.pem" \
        --resolve "a.example:$front_port:127.0.0.1" "https://a.example:$front_port/"
}
wait_for fetch_anew
tries=1
deadline=$((SECONDS + 60))
until [ "$(serial a.example)" != "$first_serial" ]; do
    fetch_anew >/dev/null || fail "a request failed before the new certificate was there"
    tries=$((tries + 1))
    [ "$SECONDS" -lt "$deadline" ] || fail "the second CA's certificate never came"
done
fetch_anew >/dev/null || fail "a request failed after the change"
fetch a.example >/dev/null || fail "not verified by the second CA's root"
stop_daemon
echo "passed: $tries requests meanwhile"
