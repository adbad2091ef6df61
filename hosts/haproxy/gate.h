/* SPDX-License-Identifier: MIT */
#ifndef AIR_HAPROXY_GATE_H
#define AIR_HAPROXY_GATE_H

/*
 * Who may validate by tls-alpn-01 at the same moment, and for how long: anybody may say that he is
 * a CA, and a handshake that is waited for costs memory (R-G1).
 *
 * Functions may be called by any thread.
 */

#include <pthread.h>

#include "thinair/thinair.h"

/* Handshakes at once: of everybody; and of one network (a /24 of IPv4, a /56 of IPv6), that many
 * and as many again for each name that is being validated: a CA looks several times at each, and
 * at many names at once. */
#define AIR_GATE_PLACES_MAX 64
#define AIR_GATE_NEIGHBOURS_MAX 4

/* How long a place is kept. With the wait for the ClientHello, which HAProxy limits, a handshake
 * has five seconds; HAProxy complains in its log about those that it has to cut off itself, so ours
 * comes first. */
#define AIR_GATE_LIMIT_MS 4500

/* The network of an address: the family and as many bytes as count. */
struct air_gate_network {
    uint8_t bytes[8]; /* all 0: not known */
};

struct air_gate_place {
    uint64_t ticket; /* 0: free */
    struct air_gate_network network;
    air_time_ms until_ms;
};

struct air_gate {
    pthread_mutex_t mutex;
    uint64_t ticket_last;
    struct air_gate_place places[AIR_GATE_PLACES_MAX];
};

void air_gate_init(struct air_gate *gate);
void air_gate_deinit(struct air_gate *gate);

/*
 * Take a place.
 *
 * source       An IP address as text. One that is none counts for the whole only.
 * names_count  How many names are being validated.
 * now_ms       By the boot clock.
 *
 * Returns a ticket; 0: there is no place.
 */
uint64_t air_gate_enter(
    struct air_gate *gate, air_span source, size_t names_count, air_time_ms now_ms);

/* Whether the place is still kept: what is late must end. */
bool air_gate_holds(struct air_gate *gate, uint64_t ticket, air_time_ms now_ms);

/* Give it back; a ticket that is not known (any more) changes nothing. */
void air_gate_leave(struct air_gate *gate, uint64_t ticket);

#endif
