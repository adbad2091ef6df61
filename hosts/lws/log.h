/* SPDX-License-Identifier: MIT */
#ifndef AIR_LWS_LOG_H
#define AIR_LWS_LOG_H

/*
 * What an operator hears, through libwebsockets' own log.
 */

#include "hosts/lws/options.h"
#include "thinair/action.h"

/* The options of a vhost are not fulfilled, and why. */
void air_log_refusal(
    struct lws_vhost *vhost, enum air_error error, const struct air_buffer *reason);

/* What a vhost's options lead to: names, where files are that the options do not name, and what was
 * noticed while they were opened. */
void air_log_pair(struct lws_vhost *vhost, const struct air_lws_options *options,
    const struct air_buffer *noticed);

void air_log_event(const struct air_event_action *event);

#endif
