/* SPDX-License-Identifier: MIT */
#ifndef AIR_PROGRAM_PLAN_PARTS_H
#define AIR_PROGRAM_PLAN_PARTS_H

/*
 * The parts that plan.c is made of. Each judges one kind of setting, adds to the plan, and on
 * failure leaves a sentence with its place in reason.
 */

#include "hosts/program/plan.h"

/* One planning: what is read, what is made, whom it is for. */
struct air_planning {
    const struct air_settings *settings;
    enum air_purpose purpose;
    struct air_plan *plan;
    struct air_buffer *reason;
};

/*
 * The authority that a certificate's `ca` means: made known to the plan when it was not yet.
 *
 * ca   text NULL: the default one.
 * url  Its directory. name: as the user calls it. Both live as long as the plan.
 */
enum air_error air_plan_authority(
    struct air_planning *planning, const struct air_value *ca, air_span *url, const char **name);

/* Judge every entry of authorities, used or not. */
enum air_error air_plan_authorities_check(struct air_planning *planning);

/* Add one certificate. */
enum air_error air_plan_certificate(
    struct air_planning *planning, const struct air_certificate_settings *settings);

/* No two certificates may share an id or a name. */
enum air_error air_plan_certificates_check(struct air_planning *planning);

/* Program and arguments, or NULL when nothing was said. */
enum air_error air_plan_command(
    struct air_planning *planning, const struct air_values *words, const char *const **out);

#endif
