/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_PLAN_H
#define AIR_PROGRAM_PLAN_H

/*
 * What the settings mean: checked, with defaults, in the types of the libraries.
 */

#include "hosts/program/address.h"
#include "hosts/program/settings.h"
#include "thinair/engine.h"

#define AIR_PLAN_STATE_DEFAULT "/var/lib/thinair"
#define AIR_PLAN_CA_DEFAULT "letsencrypt"
#define AIR_PLAN_ADDRESSES_MAX 16
#define AIR_PLAN_ALPN_SIZE_MAX 128

/* What the plan is for: what may be missing depends on it. */
enum air_purpose {
    AIR_PURPOSE_RUN,    /* serve and renew: every certificate says where to forward */
    AIR_PURPOSE_ISSUE,  /* obtain once */
    AIR_PURPOSE_CONFIG, /* look at a file: neither */
    AIR_PURPOSE_REPORT /* only where the state and the daemon are: certificates are not looked at */
};

/* One certificate. `spec` points into the plan. */
struct air_plan_certificate {
    struct air_certificate_spec spec;
    struct air_place place;
    const char *ca;                  /* as the user named it */
    const char *to;                  /* "host:port", "unix:/path", or NULL */
    const char *const *on_installed; /* program and arguments, NULL at the end; or NULL */
};

struct air_plan {
    struct air_pool pool;
    const char *state_dir;
    const char *user; /* NULL: stay who we are */
    const char *admin_path;
    bool is_json_log;
    bool proxy_protocol;
    struct air_address listen[AIR_PLAN_ADDRESSES_MAX];
    size_t listen_count;
    struct air_address http[AIR_PLAN_ADDRESSES_MAX];
    size_t http_count;
    uint8_t alpn[AIR_PLAN_ALPN_SIZE_MAX]; /* wire form */
    size_t alpn_size;
    struct air_authority_spec *authorities;
    size_t authorities_count;
    struct air_plan_certificate *certificates;
    size_t certificates_count;
};

/*
 * Judge settings and make a plan.
 *
 * Reads the files that settings name (--ca-file, --eab-key-file); sends nothing.
 *
 * out     Zeroed or deinitialized before; air_plan_deinit() also after a failure.
 * reason  On failure a sentence that begins with the place of the culprit and says what to do.
 *
 * Returns AIR_OK, AIR_ERR_MALFORMED, AIR_ERR_BAD_NAME, AIR_ERR_EXISTS, AIR_ERR_NOT_FOUND,
 * AIR_ERR_PERMISSION, AIR_ERR_LIMIT or AIR_ERR_NO_MEMORY: all but the last are the user's to mend.
 */
enum air_error air_plan_make(const struct air_settings *settings, enum air_purpose purpose,
    struct air_plan *out, struct air_buffer *reason);
void air_plan_deinit(struct air_plan *plan);

/* The certificate of that id, or NULL. */
const struct air_plan_certificate *air_plan_find(const struct air_plan *plan, air_span id);

/* Whether any certificate may be validated that way. */
bool air_plan_uses(const struct air_plan *plan, enum air_challenge_type type);

/* Write the plan as a YAML file with everything said: what `thinair config` shows. */
void air_plan_write(const struct air_plan *plan, struct air_buffer *out);

#endif
