/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_INVENTORY_H
#define AIR_ENGINE_INVENTORY_H

/*
 * The certificates we hold: what is asked for, and per key type what is there. At rest one name
 * costs at most 256 bytes; everything else is in storage until it is due.
 */

#include "thinair/engine.h"

struct air_certificate;
struct air_issuance;

/* Serial numbers have at most 20 octets and a leading zero (RFC 5280 section 4.1.2.2). */
#define AIR_LINEAGE_SERIAL_SIZE_MAX 21

#define AIR_LINEAGE_NOT_QUEUED UINT32_MAX

/* One key type of a certificate. */
struct air_lineage {
    struct air_certificate *certificate;
    struct air_issuance *issuance; /* while something is being done, else NULL */
    char *last_error;              /* last_error_size bytes; NULL after a success */
    air_time_ms due_ms;            /* wall: when something is to be done next */
    air_time_ms next_ms;           /* wall: the next renewal or try */
    air_time_ms not_before_ms;     /* of the generation that is served; 0 without one */
    air_time_ms not_after_ms;
    uint32_t queue_index;
    uint32_t generation; /* served or stored; 0: none */
    uint32_t failures_count;
    uint16_t last_error_size;
    uint16_t given_key_size; /* of the key to order with, behind the names; 0: a fresh one */
    uint8_t key_type;
    uint8_t serial_size;
    uint8_t serial[AIR_LINEAGE_SERIAL_SIZE_MAX];
    bool is_loaded : 1;
    bool is_current : 1; /* the generation is what is asked for */
    bool is_forced : 1;  /* renew without waiting for the schedule */
    bool is_retried : 1; /* try without waiting after earlier failures */
    bool is_alarmed : 1; /* expires-soon was told */
    bool is_expired_told : 1;
    bool needs_load : 1; /* the stored records must be read again */
};

/* What the user asks for. Its lineages and then its texts (id, names, subject, given keys) follow
 * it in one block. */
struct air_certificate {
    struct air_authority *authority;
    air_time_ms renew_before_ms;
    uint32_t block_size;
    uint16_t id_size;
    uint16_t names_size;   /* of all names, each followed by a zero byte */
    uint16_t subject_size; /* of its four parts, each followed by a zero byte; 0: it is empty */
    uint8_t names_count;
    uint8_t lineages_count;
    uint8_t challenges[AIR_CHALLENGES_MAX];
    uint8_t challenges_count;
    bool must_staple;
    struct air_lineage lineages[]; /* in the order they are ordered */
};

air_span air_certificate_id(const struct air_certificate *certificate);

/* All names, each followed by a zero byte. */
air_span air_certificate_names_text(const struct air_certificate *certificate);

/* The names as spans into the certificate, in the order given; names has room for AIR_NAMES_MAX. */
size_t air_certificate_names(const struct air_certificate *certificate, air_span *names);

/* The subject to order with: spans into the certificate. */
void air_certificate_subject(const struct air_certificate *certificate, struct air_subject *out);

/* The private key to order with, PEM, or empty. */
air_span air_lineage_given_key(const struct air_lineage *lineage);

/*
 * Make a certificate from a spec that is checked here.
 *
 * authority  The one the spec names.
 * reason     A sentence where the spec is at fault; may be NULL.
 */
enum air_error air_certificate_new(const struct air_crypto *crypto,
    const struct air_certificate_spec *spec, struct air_authority *authority,
    struct air_certificate **out, struct air_buffer *reason);

void air_certificate_free(struct air_certificate *certificate);

/* Whether two certificates ask for the same in every respect. */
bool air_certificate_is_same(const struct air_certificate *a, const struct air_certificate *b);

/* Replace what is told as the last error; text is cut to 480 bytes. No memory: the old one goes all
 * the same. */
void air_lineage_set_error(struct air_lineage *lineage, air_span text);

/* Copy what is known of the served generation; used when a certificate is changed. */
void air_lineage_inherit(struct air_lineage *lineage, struct air_lineage *old);

/*
 * The queue: lineages by the wall time at which something is to be done, the earliest first.
 */
struct air_queue {
    struct air_lineage **heap;
    size_t count;
    size_t capacity;
};

/* Put a lineage into the queue, or move it, with this time. Room is made by air_queue_reserve. */
void air_queue_set(struct air_queue *queue, struct air_lineage *lineage, air_time_ms due_ms);
void air_queue_remove(struct air_queue *queue, struct air_lineage *lineage);
struct air_lineage *air_queue_first(const struct air_queue *queue);
enum air_error air_queue_reserve(struct air_queue *queue, size_t count);
void air_queue_deinit(struct air_queue *queue);

#endif
