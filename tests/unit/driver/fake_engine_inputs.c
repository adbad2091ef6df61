/* SPDX-License-Identifier: MIT */
/*
 * The rest of the engine's functions that a server calls: its inputs, and what it says of itself.
 *
 * Everything is accepted, but for a directory URL that is not https. Invariant: how many lineages
 * there are, and whether they are loading, is the script's.
 */
#include "src/base/span.h"
#include "tests/unit/driver/fake_engine.h"

enum air_error air_engine_new(const struct air_engine_config *config, struct air_engine **out) {
    (void)config;
    *out = air_fake_engine_new();
    return AIR_OK;
}

enum air_error air_engine_authority_set(
    struct air_engine *engine, const struct air_authority_spec *spec) {
    (void)engine;
    return air_span_starts_with(spec->directory_url, "https://") ? AIR_OK : AIR_ERR_ARGUMENT;
}

enum air_error air_engine_certificate_set(
    struct air_engine *engine, const struct air_certificate_spec *spec, struct air_buffer *reason) {
    (void)spec;
    (void)reason;
    air_fake_engine_of(engine)->lineages_count++;
    return AIR_OK;
}

enum air_error air_engine_target_add(struct air_engine *engine, air_span target) {
    air_fake_engine_of(engine)->targets_count += air_span_equal_text(target, "tls") ? 1 : 100;
    return AIR_OK;
}

size_t air_engine_lineages_count(const struct air_engine *engine) {
    return air_fake_engine_of((struct air_engine *)engine)->lineages_count;
}

enum air_error air_engine_status(struct air_engine *engine, size_t index, struct air_status *out) {
    const struct air_fake_engine *script = air_fake_engine_of(engine);

    *out = (struct air_status){
        .state = index < script->loaded_count ? AIR_STATE_WAITING : AIR_STATE_LOADING};
    return AIR_OK;
}
