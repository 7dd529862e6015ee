/*
 * One AWS service: builds a request's address, signs each attempt anew, and judges answers. What can
 * be mended is mended once a call: the clock (from the answer's Date), credentials that expired or were
 * replaced, and the region of a bucket. Everything about waiting is http.h's.
 */
#include "aws/client.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <libdeflate.h>

#include "aws/failure.h"
#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"

/* S3 refuses signatures that are more than 15 minutes off (API Reference, RequestTimeTooSkewed). */
#define CLOCK_SKEW_MAX_MS (15 * 60 * INT64_C(1000))
/* Below this an offset would not be why a signature was refused. */
#define CLOCK_SKEW_MIN_MS (4 * 60 * INT64_C(1000))
/* A region at a custom endpoint that does not care: what most of them are set up with. */
#define REGION_OF_OTHERS "us-east-1"
/* First wait after SlowDown and its kin: about a second. */
#define THROTTLED_DELAY_MS 1000

/* Where requests go, never changed once it is seen: a bucket elsewhere makes another one. */
struct place {
	struct place *older;
	char *region;
	char *endpoint;  /* as rv_aws_endpoint gives it */
	char *scheme;    /* "https" */
	char *host;      /* with its port, unless that is the default one */
	char *base_path; /* "" or "/prefix" */
	bool tls;
	bool is_local;   /* localhost or an address: no bucket can be in front of it */
};

struct rv_aws_client {
	struct rv_aws *aws;
	char *service;
	bool is_s3, custom;
	pthread_mutex_t lock;          /* makes places */
	struct place *_Atomic place;
};

/* ---- the process's ---------------------------------------------------------------------------- */

/* The last resort, as AWS's own command line has it. Endpoints of one's own need none. */
static void find_region(struct rv_aws *aws)
{
	RV_CLEANUP(rv_free_p) char *endpoint = NULL;
	struct rv_error ignored = RV_ERROR_INIT;
	const char *origin;
	bool custom;
	if (rv_aws_endpoint(aws->settings, "s3", REGION_OF_OTHERS, &endpoint, &custom, &origin,
			    &ignored) != RV_OK || custom)
		return;
	aws->settings->region = rv_aws_instance_region(aws->settings, aws->http);
	if (aws->settings->region)
		aws->settings->region_origin = rv_strdup("EC2's instance metadata");
}

enum rv_status rv_aws_new(const struct rv_aws_settings_params *settings,
			  const struct rv_http_params *http, struct rv_aws **ret,
			  struct rv_error *err)
{
	RV_CLEANUP(rv_aws_free_p) struct rv_aws *aws = rv_calloc(1, sizeof(*aws));
	if (rv_aws_settings_load(settings, &aws->settings, err) != RV_OK)
		return err->status;
	struct rv_http_params params = *http;
	if (!params.ca_file)
		params.ca_file = aws->settings->ca_bundle;
	aws->trace = params.trace;
	aws->trace_arg = params.trace_arg;
	aws->http = rv_http_new(&params);
	aws->chain = rv_aws_chain_new(aws->settings, aws->http);
	if (!aws->settings->region)
		find_region(aws);
	*ret = rv_take(aws);
	return RV_OK;
}

void rv_aws_free(struct rv_aws *aws)
{
	if (!aws)
		return;
	rv_aws_chain_free(aws->chain);
	rv_http_free(aws->http);
	rv_aws_settings_free(aws->settings);
	free(aws);
}

void rv_aws_free_p(struct rv_aws **aws)
{
	rv_aws_free(*aws);
	*aws = NULL;
}

RV_PRINTF(2, 3) static void trace(struct rv_aws *aws, const char *fmt, ...)
{
	if (!aws->trace)
		return;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf line = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&line, fmt, ap);
	va_end(ap);
	aws->trace(aws->trace_arg, line.bytes);
}

/* ---- places ----------------------------------------------------------------------------------- */

static void place_free(struct place *place)
{
	if (!place)
		return;
	free(place->region);
	free(place->endpoint);
	free(place->scheme);
	free(place->host);
	free(place->base_path);
	free(place);
}

static bool is_local_host(const char *host)
{
	size_t len = strcspn(host, ":");
	if (host[0] == '[')
		return true;
	if (len == 9 && strncasecmp(host, "localhost", 9) == 0)
		return true;
	return strspn(host, "0123456789.") == len;
}

/* scheme://host[:port][/path] */
static enum rv_status split_endpoint(struct place *place, struct rv_error *err)
{
	const char *url = place->endpoint;
	const char *colon = strstr(url, "://");
	bool tls = colon && colon - url == 5 && strncasecmp(url, "https", 5) == 0;
	bool plain = colon && colon - url == 4 && strncasecmp(url, "http", 4) == 0;
	const char *host = colon ? colon + 3 : "";
	size_t len = strcspn(host, "/?#");
	if ((!tls && !plain) || len == 0 || memchr(host, '@', len) || strpbrk(host, "?# \t\r\n")) {
		rv_fail(err, RV_BAD_CONFIG, "'%.300s' is not the address of an endpoint", url);
		rv_hint(err, "for instance https://s3.example.com or http://127.0.0.1:9000");
		return err->status;
	}
	place->tls = tls;
	place->scheme = rv_strdup(tls ? "https" : "http");
	place->host = rv_strndup(host, len);
	/* The Host header and the signature leave default ports out. */
	const char *port = tls ? ":443" : ":80";
	if (rv_ends_with(place->host, port))
		place->host[len - strlen(port)] = '\0';
	place->base_path = rv_strdup(host + len);
	for (size_t n = strlen(place->base_path); n > 0 && place->base_path[n - 1] == '/'; n--)
		place->base_path[n - 1] = '\0';
	place->is_local = is_local_host(place->host);
	return RV_OK;
}

static enum rv_status place_new(const struct rv_aws_client *client, const char *region,
				struct place **ret, bool *ret_custom, struct rv_error *err)
{
	struct place *place = rv_calloc(1, sizeof(*place));
	const char *origin;
	place->region = rv_strdup(region);
	if (rv_aws_endpoint(client->aws->settings, client->service, region, &place->endpoint,
			    ret_custom, &origin, err) != RV_OK ||
	    split_endpoint(place, err) != RV_OK) {
		place_free(place);
		return err->status;
	}
	*ret = place;
	return RV_OK;
}

/* A region named by an answer. Another thread may have been there before. */
static enum rv_status move_to(struct rv_aws_client *client, const char *region, struct rv_error *err)
{
	struct place *place = NULL;
	enum rv_status status = RV_OK;
	pthread_mutex_lock(&client->lock);
	struct place *now = atomic_load(&client->place);
	if (strcmp(now->region, region) != 0) {
		bool custom;
		status = place_new(client, region, &place, &custom, err);
		if (status == RV_OK) {
			place->older = now;
			atomic_store(&client->place, place);
		}
	}
	pthread_mutex_unlock(&client->lock);
	return status;
}

/* ---- the client ------------------------------------------------------------------------------- */

enum rv_status rv_aws_client_new(struct rv_aws *aws, const char *service,
				 struct rv_aws_client **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_aws_client_free_p) struct rv_aws_client *client = rv_calloc(1, sizeof(*client));
	struct rv_error no_region = RV_ERROR_INIT;
	struct place *place = NULL;
	const char *region = NULL;
	client->aws = aws;
	client->service = rv_strdup(service);
	client->is_s3 = strcmp(service, "s3") == 0;
	pthread_mutex_init(&client->lock, NULL);
	bool known = rv_aws_region(aws->settings, &region, &no_region) == RV_OK;
	if (place_new(client, known ? region : REGION_OF_OTHERS, &place, &client->custom, err) != RV_OK)
		return err->status;
	atomic_init(&client->place, place);
	/* AWS itself is always somewhere; a region that is wrong is wrong everywhere. */
	if (!known && (!client->custom || aws->settings->region)) {
		*err = no_region;
		return err->status;
	}
	*ret = rv_take(client);
	return RV_OK;
}

void rv_aws_client_free(struct rv_aws_client *client)
{
	if (!client)
		return;
	for (struct place *place = atomic_load(&client->place), *older; place; place = older) {
		older = place->older;
		place_free(place);
	}
	pthread_mutex_destroy(&client->lock);
	free(client->service);
	free(client);
}

void rv_aws_client_free_p(struct rv_aws_client **client)
{
	rv_aws_client_free(*client);
	*client = NULL;
}

const char *rv_aws_client_region(struct rv_aws_client *client)
{
	return atomic_load(&client->place)->region;
}

const char *rv_aws_client_endpoint(const struct rv_aws_client *client)
{
	return atomic_load(&client->place)->endpoint;
}

bool rv_aws_client_is_custom(const struct rv_aws_client *client)
{
	return client->custom;
}

int64_t rv_aws_client_now_ms(const struct rv_aws_client *client)
{
	return rv_clock_ms() + atomic_load(&client->aws->clock_offset_ms);
}

/* ---- addresses -------------------------------------------------------------------------------- */

/* May stand in front of a host: a label of DNS, or several (S3 User Guide,
 * "Virtual hosting of buckets"). */
static bool is_dns_bucket(const char *bucket)
{
	size_t len = strlen(bucket);
	if (len < 3 || len > 63 || strstr(bucket, "..") || bucket[0] == '-' || bucket[0] == '.' ||
	    bucket[len - 1] == '-' || bucket[len - 1] == '.')
		return false;
	return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len &&
	       strspn(bucket, "0123456789.") < len;
}

static bool bucket_in_host(const struct rv_aws_client *client, const struct place *place,
			   const char *bucket)
{
	const char *style = client->aws->settings->addressing_style;
	if (place->is_local || !is_dns_bucket(bucket) || (style && strcmp(style, "path") == 0))
		return false;
	if (place->tls && strchr(bucket, '.'))
		return false; /* no certificate is for two labels */
	return !client->custom || (style && strcmp(style, "virtual") == 0);
}

struct address {
	char *host, *path;
	char *url; /* without the query */
};

static void address_release(struct address *address)
{
	free(address->host);
	free(address->path);
	free(address->url);
	*address = (struct address){ 0 };
}

/* `other_host`: a 307 sent us there; with the bucket in its name or not. */
static void address_make(const struct rv_aws_client *client, const struct place *place,
			 const struct rv_aws_request *request, const char *other_host,
			 struct address *ret)
{
	const char *path = request->path ? request->path : "/";
	const char *bucket = client->is_s3 && request->bucket ? request->bucket : NULL;
	bool in_host = bucket && bucket_in_host(client, place, bucket);
	if (other_host) {
		size_t n = bucket ? strlen(bucket) : 0;
		in_host = bucket && strncmp(other_host, bucket, n) == 0 && other_host[n] == '.';
		ret->host = rv_strdup(other_host);
	} else {
		ret->host = in_host ? rv_asprintf("%s.%s", bucket, place->host)
				    : rv_strdup(place->host);
	}
	ret->path = bucket && !in_host ? rv_asprintf("%s/%s%s", place->base_path, bucket, path)
				       : rv_asprintf("%s%s", place->base_path, path);
	ret->url = rv_asprintf("%s://%s%s", place->scheme, ret->host, ret->path);
}

/* ---- one call --------------------------------------------------------------------------------- */

struct call {
	struct rv_aws_client *client;
	const struct rv_aws_request *request;
	const int *also_ok;
	bool wants_json;
	/* of the attempt */
	struct place *place;
	struct address address;
	struct rv_http_headers headers;
	struct rv_aws_credentials credentials;
	char *url;
	/* of the call */
	struct rv_http_call http;
	char payload_hash[RV_SHA256_HEX];
	char *other_host;
	bool moved, clock_mended, refreshed;
};

static void call_release(struct call *call)
{
	address_release(&call->address);
	rv_http_headers_release(&call->headers);
	rv_aws_credentials_release(&call->credentials);
	free(call->url);
	free(call->other_host);
}

static bool has_checksum(const struct rv_http_headers *headers)
{
	static const char prefix[] = "x-amz-checksum-";
	for (size_t i = 0; headers && i < headers->count; i++)
		if (strncasecmp(headers->items[i].name, prefix, sizeof(prefix) - 1) == 0)
			return true;
	return false;
}

/* Over TLS a checksum that is signed says as much about the body as its hash, and is far cheaper. */
static enum rv_status payload_hash(struct call *call, const char **ret, struct rv_error *err)
{
	const struct rv_aws_request *request = call->request;
	const struct rv_http_body *body = &request->body;
	if (request->payload_hash) {
		*ret = request->payload_hash;
		return RV_OK;
	}
	if (body->len == 0) {
		*ret = RV_SHA256_EMPTY;
		return RV_OK;
	}
	if (call->client->is_s3 && call->place->tls && has_checksum(request->headers)) {
		*ret = RV_UNSIGNED_PAYLOAD;
		return RV_OK;
	}
	enum rv_status status = RV_OK;
	if (!*call->payload_hash)
		status = body->fd >= 0 ? rv_sha256_fd_hex(body->fd, body->offset, body->len,
							  call->payload_hash, err)
				       : rv_sha256_hex(body->bytes, body->len, call->payload_hash, err);
	*ret = call->payload_hash;
	return status;
}

static enum rv_status prepare(void *arg, unsigned attempt RV_UNUSED, struct rv_http_request *http,
			      struct rv_error *err)
{
	struct call *call = arg;
	struct rv_aws_client *client = call->client;
	const struct rv_aws_request *request = call->request;
	const char *hash;
	address_release(&call->address);
	rv_http_headers_release(&call->headers);
	call->place = atomic_load(&client->place);
	address_make(client, call->place, request, call->other_host, &call->address);
	free(call->url);
	call->url = request->query && *request->query
			    ? rv_asprintf("%s?%s", call->address.url, request->query)
			    : rv_strdup(call->address.url);
	rv_http_headers_set(&call->headers, "User-Agent", "river/" RIVER_VERSION);
	for (size_t i = 0; request->headers && i < request->headers->count; i++)
		rv_http_headers_add(&call->headers, request->headers->items[i].name,
				    request->headers->items[i].value);
	if (!request->unsigned_request) {
		int64_t offset = atomic_load(&client->aws->clock_offset_ms);
		rv_aws_credentials_release(&call->credentials);
		if (rv_aws_chain_get(client->aws->chain, offset, &call->credentials, err) != RV_OK ||
		    payload_hash(call, &hash, err) != RV_OK)
			return err->status;
		const struct rv_sigv4 sign = {
			.credentials = &call->credentials,
			.region = call->place->region,
			.service = client->service,
			.now_ms = rv_clock_ms() + offset,
			.method = request->method,
			.host = call->address.host,
			.path = call->address.path,
			.query = request->query,
			.payload_hash = hash,
			.is_s3 = client->is_s3,
		};
		if (rv_sigv4_sign(&sign, &call->headers, err) != RV_OK)
			return err->status;
	}
	*http = (struct rv_http_request){
		.method = request->method,
		.url = call->url,
		.headers = &call->headers,
		.body = request->body,
		.sink = request->sink,
		.sink_arg = request->sink_arg,
		.max_body_bytes = request->max_body_bytes,
		.total_timeout_ms = request->total_timeout_ms,
	};
	return RV_OK;
}

/* ---- judging ---------------------------------------------------------------------------------- */

/* The last labels that AWS alone gives out names below (as in its endpoint rules). */
static const char *aws_domain(const char *host)
{
	static const char *const domains[] = { ".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu",
					       ".api.aws", NULL };
	for (const char *const *domain = domains; *domain; domain++)
		if (rv_ends_with(host, *domain))
			return *domain;
	return NULL;
}

/* The host a 307 names, if credentials may go there: by the same scheme, at AWS within its domain, else
 * to the very host that was asked. NULL: no. Caller frees. */
static char *host_of_location(const struct call *call, const char *location)
{
	const struct place *place = call->place;
	size_t scheme = strlen(place->scheme);
	if (strncasecmp(location, place->scheme, scheme) != 0 ||
	    strncmp(location + scheme, "://", 3) != 0)
		return NULL;
	const char *host = location + scheme + 3;
	size_t len = strcspn(host, "/?#");
	RV_CLEANUP(rv_free_p) char *copy = rv_strndup(host, len);
	for (char *p = copy; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	if (strspn(copy, "abcdefghijklmnopqrstuvwxyz0123456789.:-") != strlen(copy))
		return NULL;
	const char *ours = aws_domain(place->host), *theirs = aws_domain(copy);
	bool same = call->client->custom ? strcmp(copy, call->address.host) == 0
					 : ours && theirs && strcmp(ours, theirs) == 0;
	return same ? rv_take(copy) : NULL;
}

/* The bucket is elsewhere: go there, once a call. */
static bool mend_place(struct call *call, const struct rv_http_response *response,
		       const struct rv_aws_failure *failure, struct rv_error *err)
{
	bool moved = failure->http_status == 301 || failure->http_status == 400;
	if (!call->client->is_s3 || call->moved)
		return false;
	if (failure->http_status == 307) {
		const char *location = rv_http_headers_get(&response->headers, "location");
		call->other_host = location ? host_of_location(call, location) : NULL;
		call->moved = call->other_host != NULL;
		return call->moved;
	}
	/* At a custom endpoint only the region to sign for can be wrong. */
	if (!moved || !*failure->region || !rv_aws_region_valid(failure->region) ||
	    strcmp(failure->region, call->place->region) == 0 ||
	    (call->client->custom && failure->http_status == 301))
		return false;
	if (move_to(call->client, failure->region, err) != RV_OK)
		return false;
	trace(call->client->aws, "the bucket is in %s, not in %s", failure->region,
	      call->place->region);
	call->moved = true;
	return true;
}

/* Our clock is off: go by theirs. A HEAD has no body to say so in. */
static bool mend_clock(struct call *call, const struct rv_http_response *response,
		       const struct rv_aws_failure *failure)
{
	struct rv_aws *aws = call->client->aws;
	if (call->clock_mended || call->request->unsigned_request || response->date_ms < 0)
		return false;
	int64_t offset = response->date_ms - rv_clock_ms();
	int64_t change = offset - atomic_load(&aws->clock_offset_ms);
	int64_t off_by = change < 0 ? -change : change;
	bool is_clock = rv_aws_failure_is_clock(failure);
	bool silent = failure->http_status == 403 && !*failure->code && off_by > CLOCK_SKEW_MAX_MS;
	bool signature = strstr(failure->code, "Signature") && off_by > CLOCK_SKEW_MIN_MS;
	if (!is_clock && !silent && !signature)
		return false;
	atomic_store(&aws->clock_offset_ms, offset);
	call->clock_mended = true;
	trace(aws, "the clock here is %" PRId64 " s %s that of %s: corrected",
	      (offset < 0 ? -offset : offset) / 1000, offset < 0 ? "ahead of" : "behind",
	      call->address.host);
	return true;
}

static bool mend_credentials(struct call *call, const struct rv_aws_failure *failure)
{
	bool silent = failure->http_status == 400 && !*failure->code &&
		      strcmp(call->request->method, "HEAD") == 0 && call->credentials.session_token;
	bool expired = silent || rv_aws_failure_is_expired(failure);
	if (call->refreshed || call->request->unsigned_request ||
	    (!expired && !rv_aws_failure_is_wrong_key(failure)))
		return false;
	struct rv_aws *aws = call->client->aws;
	call->refreshed = true;
	if (!rv_aws_chain_renew(aws->chain, atomic_load(&aws->clock_offset_ms), &call->credentials,
				expired))
		return false;
	trace(aws, "the credentials %s: trying new ones",
	      expired ? "have expired" : "were refused");
	return true;
}

/* DynamoDB says what its bytes add up to (x-amz-crc32, of the body as it is sent). */
static bool is_damaged(const struct call *call, const struct rv_http_response *response)
{
	const char *said = rv_http_headers_get(&response->headers, "x-amz-crc32");
	uint64_t sum;
	if (!said || !rv_parse_u64(said, strlen(said), &sum) ||
	    (call->request->sink && response->status / 100 == 2))
		return false;
	return sum != libdeflate_crc32(0, response->body.bytes, response->body.len);
}

static bool is_json_object(const struct rv_strbuf *body)
{
	return body->bytes[strspn(body->bytes, " \t\r\n")] == '{';
}

static bool is_among(int status, const int *statuses)
{
	for (; statuses && *statuses; statuses++)
		if (*statuses == status)
			return true;
	return false;
}

static enum rv_http_verdict judge(void *arg, const struct rv_http_response *response,
				  enum rv_http_outcome outcome RV_UNUSED, struct rv_error *err)
{
	struct call *call = arg;
	struct rv_aws_failure failure;
	if (!response)
		return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
	if (is_damaged(call, response)) {
		rv_fail(err, RV_FAILED, "%s answers %d with a body that was damaged on the way (x-amz-crc32)",
			call->address.host, response->status);
		err->transient = true;
		/* whatever the damaged bytes say: nobody knows what became of the request */
		err->http_status = 200;
		return RV_HTTP_RETRY;
	}
	if (is_among(response->status, call->also_ok))
		return RV_HTTP_DONE;
	if (response->status / 100 == 2) {
		if (call->request->error_in_200 && rv_aws_failure_in_200(response, &failure)) {
			rv_aws_failure_tell(&failure, call->address.host, err);
			err->transient |= failure.not_aws;
			return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
		}
		if (!call->wants_json || is_json_object(&response->body))
			return RV_HTTP_DONE;
		/* A portal says 200 to everything. */
		failure = (struct rv_aws_failure){ .http_status = response->status, .not_aws = true };
		rv_aws_failure_tell(&failure, call->address.host, err);
		err->transient = true;
		return RV_HTTP_RETRY;
	}
	rv_aws_failure_read(response, &failure);
	struct rv_error unmended = RV_ERROR_INIT;
	bool mended = mend_place(call, response, &failure, &unmended) ||
		      mend_clock(call, response, &failure) || mend_credentials(call, &failure);
	rv_aws_failure_tell(&failure, call->address.host, err);
	if (mended)
		return RV_HTTP_RETRY_NOW;
	if (rv_aws_code_throttle(failure.code, failure.http_status))
		call->http.base_delay_ms = THROTTLED_DELAY_MS;
	return err->transient ? RV_HTTP_RETRY : RV_HTTP_GIVE_UP;
}

static enum rv_status send_all(struct rv_aws_client *client, const struct rv_aws_request *request,
			   const int *also_ok, bool wants_json, struct rv_http_response *response,
			   struct rv_http_tally *ret_tally, struct rv_error *err)
{
	RV_CLEANUP(call_release) struct call call = {
		.client = client,
		.request = request,
		.also_ok = also_ok,
		.wants_json = wants_json,
	};
	call.http = (struct rv_http_call){
		.prepare = prepare,
		.judge = judge,
		.arg = &call,
		.repeatable = !request->not_repeatable,
		.max_attempts = request->max_attempts,
		.deadline_ms = request->deadline_ms,
	};
	return rv_http_call(client->aws->http, &call.http, response, ret_tally, err);
}

enum rv_status rv_aws_send(struct rv_aws_client *client, const struct rv_aws_request *request,
			   const int *also_ok, struct rv_http_response *response,
			   struct rv_http_tally *ret_tally, struct rv_error *err)
{
	return send_all(client, request, also_ok, false, response, ret_tally, err);
}

enum rv_status rv_aws_json(struct rv_aws_client *client, const char *target, const json_t *in,
			   json_t **ret_out, struct rv_error *err)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	RV_CLEANUP(rv_http_headers_release) struct rv_http_headers headers = { 0 };
	RV_CLEANUP(rv_free_p) char *body = json_dumps(in, JSON_COMPACT);
	if (!body)
		rv_bug("a request of %s cannot be written", target);
	bool old = strcmp(client->service, "dynamodb") == 0;
	rv_http_headers_set(&headers, "Content-Type",
			    old ? "application/x-amz-json-1.0" : "application/x-amz-json-1.1");
	rv_http_headers_set(&headers, "X-Amz-Target", target);
	const struct rv_aws_request request = {
		.method = "POST",
		.headers = &headers,
		.body = { .bytes = body, .fd = -1, .len = strlen(body) },
	};
	if (send_all(client, &request, NULL, true, &response, NULL, err) != RV_OK)
		return err->status;
	json_t *out = json_loadb(response.body.bytes, response.body.len, 0, NULL);
	if (!json_is_object(out)) {
		json_decref(out);
		return rv_fail(err, RV_FAILED, "%s answers %d with what is not JSON",
			       rv_aws_client_endpoint(client), response.status);
	}
	*ret_out = out;
	return RV_OK;
}

enum rv_status rv_aws_presign(struct rv_aws_client *client, const struct rv_aws_request *request,
			      int64_t expires_s, char **ret_url, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf query = RV_STRBUF_INIT;
	RV_CLEANUP(call_release) struct call call = { .client = client, .request = request };
	int64_t offset = atomic_load(&client->aws->clock_offset_ms);
	call.place = atomic_load(&client->place);
	address_make(client, call.place, request, NULL, &call.address);
	if (rv_aws_chain_get(client->aws->chain, offset, &call.credentials, err) != RV_OK)
		return err->status;
	const struct rv_sigv4 sign = {
		.credentials = &call.credentials,
		.region = call.place->region,
		.service = client->service,
		.now_ms = rv_clock_ms() + offset,
		.method = request->method,
		.host = call.address.host,
		.path = call.address.path,
		.query = request->query,
		.payload_hash = request->payload_hash ? request->payload_hash : RV_UNSIGNED_PAYLOAD,
		.is_s3 = client->is_s3,
	};
	if (rv_sigv4_presign(&sign, request->headers, expires_s, &query, err) != RV_OK)
		return err->status;
	*ret_url = rv_asprintf("%s?%s", call.address.url, query.bytes);
	return RV_OK;
}
