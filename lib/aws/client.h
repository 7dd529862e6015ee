/*
 * One AWS service at one endpoint: requests signed per attempt, answers judged by their codes.
 *
 * It corrects the clock (one retry with the server's Date), asks for other credentials
 * when these expired or are nobody's (one, if there are others), follows a bucket to its region (one),
 * and leaves waiting and counting to http.h.
 * Thread-safe.
 *
 * Statuses: RV_AUTH (403s, bad or expired credentials, unknown keys), RV_NOT_FOUND (404s,
 * ResourceNotFoundException), RV_CONFLICT (409, 412, ResourceInUse), RV_BAD_CONFIG (region, TLS,
 * proxy, endpoint), RV_FAILED transient (throttled, 5xx, no answer), RV_INTERNAL never.
 * err->service_code, http_status and request_id are set whenever the service gave them.
 */
#ifndef RV_AWS_CLIENT_H
#define RV_AWS_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/credentials.h"
#include "aws/settings.h"
#include "base/error.h"
#include "http/http.h"

/* What all services of a process share. Borrowed by the clients, which it must outlive. */
struct rv_aws {
	struct rv_http *http;
	struct rv_aws_settings *settings;
	struct rv_aws_chain *chain;
	/* What the services' clocks are ahead of ours, learned from an answer; any thread. */
	_Atomic int64_t clock_offset_ms;
	void (*trace)(void *arg, const char *line); /* Optional: of rv_http_params */
	void *trace_arg;
};
enum rv_status rv_aws_new(const struct rv_aws_settings_params *settings,
			  const struct rv_http_params *http, struct rv_aws **ret,
			  struct rv_error *err) RV_MUST_CHECK;
void rv_aws_free(struct rv_aws *aws);
void rv_aws_free_p(struct rv_aws **aws);

struct rv_aws_client;
/* `service` "s3", "firehose", "sts", ...; the region is the settings'. */
enum rv_status rv_aws_client_new(struct rv_aws *aws, const char *service,
				 struct rv_aws_client **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_aws_client_free(struct rv_aws_client *client);
void rv_aws_client_free_p(struct rv_aws_client **client);
const char *rv_aws_client_region(struct rv_aws_client *client);   /* may change: a bucket's */
const char *rv_aws_client_endpoint(const struct rv_aws_client *client);
bool rv_aws_client_is_custom(const struct rv_aws_client *client); /* its endpoint was configured */
int64_t rv_aws_client_now_ms(const struct rv_aws_client *client); /* corrected clock */

struct rv_aws_request {
	const char *method;
	const char *bucket;       /* s3: goes into the host or the path; Optional */
	const char *path;         /* "/" or "/" + encoded key; NULL: "/" */
	const char *query;        /* encoded, without '?'; Optional */
	const struct rv_http_headers *headers; /* Optional */
	struct rv_http_body body;
	const char *payload_hash; /* hex, or RV_UNSIGNED_PAYLOAD; NULL: computed from the body */
	rv_http_sink *sink;       /* Optional, as in http.h */
	void *sink_arg;
	size_t max_body_bytes;    /* 0: 1 MiB */
	bool not_repeatable;      /* must not be sent again when the outcome is unknown */
	bool unsigned_request;    /* sts web identity */
	unsigned max_attempts;    /* 0: 5 */
	int64_t deadline_ms;      /* monotonic; 0: none */
	int64_t total_timeout_ms; /* of an attempt; 0: none */
	/* A 200 whose body may hold <Error> (copy, complete): it is looked at, and judged as a 500. */
	bool error_in_200;
};
/* RV_OK for 2xx, and for the statuses in `also_ok` (0-terminated, Optional: 304, 404, ...). */
enum rv_status rv_aws_send(struct rv_aws_client *client, const struct rv_aws_request *request,
			   const int *also_ok, struct rv_http_response *response,
			   struct rv_http_tally *ret_tally, struct rv_error *err) RV_MUST_CHECK;
/* The JSON protocol: POST / with X-Amz-Target, the body dumped from `in`; *ret_out is owned by the
 * caller. An answer that is no JSON object is RV_FAILED (a portal or proxy answered). */
enum rv_status rv_aws_json(struct rv_aws_client *client, const char *target, const json_t *in,
			   json_t **ret_out, struct rv_error *err) RV_MUST_CHECK;
/* A presigned URL for this request; `headers` must be sent by whoever uses it. Caller frees. */
enum rv_status rv_aws_presign(struct rv_aws_client *client, const struct rv_aws_request *request,
			      int64_t expires_s, char **ret_url, struct rv_error *err) RV_MUST_CHECK;

/* The codes: is it worth another try, and which status it is. For judges of their own. */
bool rv_aws_code_transient(const char *code, int http_status);
bool rv_aws_code_throttle(const char *code, int http_status);
enum rv_status rv_aws_code_status(const char *code, int http_status);

#endif
