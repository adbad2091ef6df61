/* SPDX-License-Identifier: MIT */
#ifndef AIR_ACME_URL_H
#define AIR_ACME_URL_H

/*
 * What a URL that a CA names must look like before a request goes there (R-A3). URLs are never
 * changed: the JWS "url" member must be the CA's own bytes (RFC 8555 section 6.4).
 */

#include "thinair/thinair.h"

#define AIR_ACME_URL_SIZE_MAX 2048

/* Whether it is https, has a host, a port that can be one or none, no user name, no fragment, and
 * only visible ASCII. */
bool air_url_is_acceptable(air_span url);

/* Host and port as written, "ca.example:14000": borrowed; empty when the URL is not acceptable. */
air_span air_url_authority(air_span url);

/* The host alone, without port and without the brackets of an IPv6 literal. */
air_span air_url_host(air_span url);

/* Whether url is acceptable and names the same host and port as directory_url. */
bool air_url_is_within(air_span url, air_span directory_url);

/* Whether the host is this machine: localhost, 127.0.0.0/8 or ::1. */
bool air_url_is_loopback(air_span url);

#endif
