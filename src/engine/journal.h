/* SPDX-License-Identifier: MIT */
#ifndef AIR_ENGINE_JOURNAL_H
#define AIR_ENGINE_JOURNAL_H

/*
 * What is written before something is done, so that a crash at any point can be taken up: paths and
 * formats of all records (docs/state-directory.md). A record that cannot be read counts as missing:
 * everything that matters can be rebuilt from keys and certificates (R-D3).
 */

#include "src/acme/order.h"
#include "src/engine/inventory.h"

/* Generations whose files are kept: the latest two, and those younger than a week, at most so many.
 * */
#define AIR_GENERATIONS_MAX 16
#define AIR_GENERATION_AGE_MAX_MS ((air_time_ms)7 * 24 * 3600 * 1000)

/* Highest number of a generation: its folder's name has at most nine digits. */
#define AIR_GENERATION_MAX 999999999

#define AIR_RECORD_SIZE_MAX AIR_STORAGE_VALUE_SIZE_MAX

/* history.json: attempts and failures, durable across restarts (R-C2). */
struct air_history {
    uint32_t attempts_count;
    uint32_t failures_count;
    air_time_ms next_ms; /* wall: no new order before */
    uint64_t wish;       /* air_journal_wish() of what failed: another wish need not wait */
    char last_error[480];
    size_t last_error_size;
    struct {
        uint32_t number;
        air_time_ms sealed_ms;
    } generations[AIR_GENERATIONS_MAX]; /* the oldest first */
    size_t generations_count;
};

enum air_order_step {
    AIR_ORDER_STEP_NONE,
    AIR_ORDER_STEP_CREATING, /* newOrder may have been sent; its URL is not known */
    AIR_ORDER_STEP_PLACED    /* the URL is known; finalize may have been sent */
};

/* order.json: the one order under way. */
struct air_order_record {
    enum air_order_step step;
    uint32_t generation; /* its key is in that generation's folder */
    bool is_ours;        /* same names and CA as asked for now */
    struct air_buffer url;
    struct air_buffer csr; /* DER: every finalize of this order sends it */
};

/* manifest.json: what a generation was made for. The certificate itself says the rest. */
struct air_manifest {
    uint32_t generation;
    bool is_wish; /* read: same names and CA as asked for now */
    struct air_certificate_info info;
    uint8_t chain_sha256[AIR_SHA256_SIZE];
};

/* Append the folder of a certificate's key type: "certificates/<id>/<key-type>", then "/" and rest
 * if not NULL. */
enum air_error air_path_lineage(
    const struct air_lineage *lineage, const char *rest, struct air_buffer *out);

/* Append ".../generations/000003/" and rest. */
enum air_error air_path_generation(const struct air_lineage *lineage, uint32_t generation,
    const char *rest, struct air_buffer *out);

/* Append "live/<id>/<key-type>/" and rest. */
enum air_error air_path_live(
    const struct air_lineage *lineage, const char *rest, struct air_buffer *out);

/* The number in the name of a generation's folder; 0: not one. */
uint32_t air_generation_parse(air_span segment);

/* current: "3 sha256:<64 hex>\n". Read answers AIR_OK, AIR_ERR_MALFORMED or AIR_ERR_NO_MEMORY. */
enum air_error air_current_write(
    uint32_t generation, const uint8_t chain_sha256[AIR_SHA256_SIZE], struct air_buffer *out);
enum air_error air_current_read(
    air_span text, uint32_t *generation, uint8_t chain_sha256[AIR_SHA256_SIZE]);

/* Read answers AIR_OK, AIR_ERR_MALFORMED or AIR_ERR_NO_MEMORY; members that make no sense count as
 * missing. */
enum air_error air_history_write(const struct air_history *history, struct air_buffer *out);
enum air_error air_history_read(air_span text, struct air_history *out);

/* Note a sealed generation, forgetting the oldest note when full. */
void air_history_seal(struct air_history *history, uint32_t generation, air_time_ms now_wall_ms);

/* Take the oldest generation out that need not be kept; 0: none. */
uint32_t air_history_expire(struct air_history *history, air_time_ms now_wall_ms);

/* Put a wall time as RFC 3339 text into an object. */
void air_record_put_time(struct air_buffer *out, const char *key, air_time_ms wall_ms);

/* A number for what is asked for: CA, names, must-staple. */
uint64_t air_journal_wish(const struct air_lineage *lineage);

/* The record of an order of this lineage; url may be empty. */
enum air_error air_order_record_write(const struct air_lineage *lineage,
    const struct air_order_record *record, struct air_buffer *out);

/* AIR_ERR_MALFORMED: unreadable, or it contradicts itself. AIR_ERR_NO_MEMORY. out's buffers are
 * replaced on AIR_OK. */
enum air_error air_order_record_read(
    const struct air_lineage *lineage, air_span text, struct air_order_record *out);
void air_order_record_deinit(struct air_order_record *record);

enum air_error air_manifest_write(const struct air_lineage *lineage,
    const struct air_manifest *manifest, air_span order_url, struct air_buffer *out);
enum air_error air_manifest_read(
    const struct air_lineage *lineage, air_span text, struct air_manifest *out);

#endif
