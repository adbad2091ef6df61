/* SPDX-License-Identifier: MIT */
/*
 * Places for handshakes that may be a CA's. A place that was kept for too long is free, whoever had
 * it: so none is lost when HAProxy ends what runs in Lua without a word.
 *
 * Invariant: tickets only grow, so an old one never means another's place.
 */

#include "hosts/haproxy/gate.h"

#include <arpa/inet.h>
#include <string.h>

#define ADDRESS_TEXT_SIZE 64
#define FAMILY_4 4
#define FAMILY_6 6
#define PREFIX_4_SIZE 3 /* /24 */
#define PREFIX_6_SIZE 7 /* /56 */

/* RFC 4291 section 2.5.5.2: an IPv4 address in IPv6 clothes. */
static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

static struct air_gate_network network_of(air_span source);

void air_gate_init(struct air_gate *gate) {
    *gate = (struct air_gate){.ticket_last = 0};
    (void)pthread_mutex_init(&gate->mutex, NULL);
}

void air_gate_deinit(struct air_gate *gate) {
    (void)pthread_mutex_destroy(&gate->mutex);
}

uint64_t air_gate_enter(
    struct air_gate *gate, air_span source, size_t names_count, air_time_ms now_ms) {
    const size_t neighbours_max = AIR_GATE_NEIGHBOURS_MAX * (1 + names_count);
    const struct air_gate_network network = network_of(source);
    struct air_gate_place *place = NULL;
    size_t neighbours_count = 0;
    uint64_t ticket = 0;
    (void)pthread_mutex_lock(&gate->mutex);
    for (size_t i = 0; i < AIR_GATE_PLACES_MAX; i++) {
        struct air_gate_place *at = &gate->places[i];
        if (at->ticket == 0 || at->until_ms <= now_ms) {
            place = at;
        } else if (network.bytes[0] != 0 && memcmp(&at->network, &network, sizeof(network)) == 0) {
            neighbours_count++;
        }
    }
    if (place != NULL && neighbours_count < neighbours_max) {
        ticket = ++gate->ticket_last;
        *place = (struct air_gate_place){
            .ticket = ticket, .network = network, .until_ms = now_ms + AIR_GATE_LIMIT_MS};
    }
    (void)pthread_mutex_unlock(&gate->mutex);
    return ticket;
}

bool air_gate_holds(struct air_gate *gate, uint64_t ticket, air_time_ms now_ms) {
    bool holds = false;
    (void)pthread_mutex_lock(&gate->mutex);
    for (size_t i = 0; i < AIR_GATE_PLACES_MAX && ticket != 0; i++) {
        const struct air_gate_place *place = &gate->places[i];
        holds = holds || (place->ticket == ticket && place->until_ms > now_ms);
    }
    (void)pthread_mutex_unlock(&gate->mutex);
    return holds;
}

void air_gate_leave(struct air_gate *gate, uint64_t ticket) {
    (void)pthread_mutex_lock(&gate->mutex);
    for (size_t i = 0; i < AIR_GATE_PLACES_MAX; i++) {
        if (gate->places[i].ticket == ticket) {
            gate->places[i].ticket = 0;
        }
    }
    (void)pthread_mutex_unlock(&gate->mutex);
}

static struct air_gate_network network_of(air_span source) {
    struct air_gate_network network = {{0}};
    char text[ADDRESS_TEXT_SIZE] = "";
    uint8_t address[16] = {0};
    if (source.size == 0 || source.size >= sizeof(text)) {
        return network;
    }
    memcpy(text, source.data, source.size);
    if (inet_pton(AF_INET, text, address) == 1) {
        network.bytes[0] = FAMILY_4;
        memcpy(network.bytes + 1, address, PREFIX_4_SIZE);
    } else if (inet_pton(AF_INET6, text, address) == 1) {
        const bool is_mapped = memcmp(address, mapped, sizeof(mapped)) == 0;
        network.bytes[0] = is_mapped ? FAMILY_4 : FAMILY_6;
        memcpy(network.bytes + 1, is_mapped ? address + sizeof(mapped) : address,
            is_mapped ? PREFIX_4_SIZE : PREFIX_6_SIZE);
    }
    return network;
}
