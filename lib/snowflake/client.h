/*
 * One Snowflake account: where it is, who we are, and requests that carry a fresh token.
 *
 * What a user has configured is read as Snowflake's own command line reads it (settings.h). The token
 * is a JWT of the user's key, made anew before it runs out, or an OAuth or programmatic access token;
 * after a 401 one that can be renewed is renewed and the request sent again, once. No token is ever
 * sent to a host that is not Snowflake's, unless `host` was configured and is on the loopback.
 *
 * Statuses: RV_AUTH (no or bad credentials, a clock that is off, a network policy that refuses, a
 * missing grant), RV_NOT_FOUND (an account, or an object that does not exist or may not be seen),
 * RV_CONFLICT (an object exists), RV_BAD_CONFIG (host, TLS, proxy, settings), RV_USAGE (SQL that does
 * not compile), RV_FAILED transient (429, 5xx, no answer). err->service_code is Snowflake's code
 * ("390144", "002003"), err->http_status and request_id as in error.h. Messages are one sentence,
 * hints the next step.
 *
 * Thread-safe. Source: Snowflake's developer guides "SQL API" and "Key-pair authentication".
 */
#ifndef RV_SNOWFLAKE_CLIENT_H
#define RV_SNOWFLAKE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "http/http.h"
#include "snowflake/settings.h"

struct rv_snowflake;

/* Reads the settings, opens no connection yet. `http` is borrowed and must outlive it. */
enum rv_status rv_snowflake_new(const struct rv_snowflake_settings_params *settings,
				struct rv_http *http, struct rv_snowflake **ret,
				struct rv_error *err) RV_MUST_CHECK;
void rv_snowflake_free(struct rv_snowflake *snowflake);
void rv_snowflake_free_p(struct rv_snowflake **snowflake);

const char *rv_snowflake_account(const struct rv_snowflake *snowflake); /* "ACME-DATA" */
const char *rv_snowflake_user(const struct rv_snowflake *snowflake);
/* What the connection names, exactly as given there; NULL: nothing. */
const char *rv_snowflake_database(const struct rv_snowflake *snowflake);
const char *rv_snowflake_warehouse(const struct rv_snowflake *snowflake);
const char *rv_snowflake_role(const struct rv_snowflake *snowflake);
/* All of what is configured, with where it comes from (settings.h). */
const struct rv_snowflake_settings *rv_snowflake_settings(const struct rv_snowflake *snowflake);

/* The time, ms since the epoch, as the service had it in its last answer; before the first one as this machine
 * has it. What the service remembers goes by its own clock. */
int64_t rv_snowflake_clock_ms(const struct rv_snowflake *snowflake);

/* `note` is told of a statement that has run for five minutes, and again whenever that has doubled. */
void rv_snowflake_on_wait(struct rv_snowflake *snowflake, void (*note)(const char *fmt, ...) RV_PRINTF(1, 2));

/* For doctor: reads the key or the token, and asks nobody. RV_AUTH: it is not what it should be. */
struct rv_snowflake_identity {
	char source[512];          /* "the private key /home/me/rsa_key.p8 (connection prod in ...)" */
	char fingerprint[64];      /* "SHA256:...", "" without a key */
};
enum rv_status rv_snowflake_identify(struct rv_snowflake *snowflake, struct rv_snowflake_identity *ret,
				     struct rv_error *err) RV_MUST_CHECK;
/* For doctor: one request without a token, which any answer is good for. *ret_offset_ms is what their
 * clock is ahead of ours, INT64_MIN when the answer does not say. */
enum rv_status rv_snowflake_reach(struct rv_snowflake *snowflake, int64_t *ret_offset_ms,
				  struct rv_error *err) RV_MUST_CHECK;

#endif
