/*
 * The part of the wiring that tells what of AWS works for a profile and what does not: for doctor.
 * Each step is tried as a push would, and what depends on one that failed is left out.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aws/client.h"
#include "aws/firehose.h"
#include "aws/s3.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/ulid.h"
#include "config/config.h"
#include "config/stream.h"
#include "context.h"
#include "flow/catalog.h"

/* S3 refuses a signature that is 15 minutes off (S3 API Reference, RequestTimeTooSkewed). */
#define SKEW_NOTED_MS (60 * INT64_C(1000))
#define SKEW_REFUSED_MS (15 * 60 * INT64_C(1000))
#define SOON_MS (15 * 60 * INT64_C(1000))
#define STREAMS_MAX 200

struct explain {
	const struct rv_profile *profile;
	rv_explain_each *each;
	void *arg;
	struct rv_aws *aws;
	struct rv_s3 *s3;
};

static void say(struct explain *x, const char *check, enum rv_explained result, const char *hint,
		const char *fmt, ...) RV_PRINTF(5, 6);
static void say(struct explain *x, const char *check, enum rv_explained result, const char *hint,
		const char *fmt, ...)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	rv_strbuf_vprintf(&text, fmt, ap);
	va_end(ap);
	x->each(x->arg, check, result, text.bytes, hint);
}

static void say_error(struct explain *x, const char *check, const struct rv_error *failure)
{
	struct rv_error copy = *failure, *err = &copy;
	/* It is doctor that speaks. */
	char *doctor = strstr(err->hint, "; 'river doctor'");
	if (doctor)
		*doctor = '\0';
	if (err->file[0] && err->line)
		say(x, check, RV_EXPLAIN_FAIL, err->hint, "%s:%" PRIu64 ": %s", err->file, err->line,
		    err->message);
	else
		say(x, check, RV_EXPLAIN_FAIL, err->hint, "%s", err->message);
}

/* ---- what is read here ------------------------------------------------------------------------ */

static bool explain_settings(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT, without = RV_ERROR_INIT;
	char digest[RV_SHA256_HEX];
	const char *region;
	if (rv_sha256_hex("", 0, digest, &err) != RV_OK) {
		say_error(x, "libcrypto", &err);
		return false;
	}
	if (rv_wire_aws(x->profile, &x->aws, &err) != RV_OK) {
		say_error(x, "aws", &err);
		return false;
	}
	const struct rv_aws_settings *settings = x->aws->settings;
	if (rv_aws_region(settings, &region, &err) == RV_OK) {
		say(x, "region", RV_EXPLAIN_OK, NULL, "%s (%s)", region, settings->region_origin);
	} else if (!settings->region && rv_s3_new(x->aws, x->profile->bucket, &x->s3, &without) == RV_OK) {
		/* A store that is not AWS's mostly takes any. */
		say(x, "region", RV_EXPLAIN_WARN, err.hint, "none is set; %s is signed for",
		    rv_aws_client_region(rv_s3_client(x->s3)));
	} else {
		say_error(x, "region", &err);
		return false;
	}
	return true;
}

static bool explain_credentials(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf tried = RV_STRBUF_INIT;
	json_t *sources = rv_aws_chain_explain(x->aws->chain), *source;
	bool good = true;
	size_t i;
	json_array_foreach(sources, i, source) {
		const char *name = json_string_value(json_object_get(source, "source"));
		const char *state = json_string_value(json_object_get(source, "state"));
		const char *detail = json_string_value(json_object_get(source, "detail"));
		const char *hint = json_string_value(json_object_get(source, "hint"));
		if (strcmp(state, "used") == 0) {
			say(x, "credentials", RV_EXPLAIN_OK, NULL, "%s%s%s%s%s", name,
			    detail && *detail ? ": " : "", detail ? detail : "",
			    tried.len ? "; not configured before it: " : "", tried.bytes);
		} else if (strcmp(state, "failed") == 0) {
			good = false;
			say(x, "credentials", RV_EXPLAIN_FAIL, hint, "%s: %s%s%s", name, detail,
			    tried.len ? "; not configured before it: " : "", tried.bytes);
		} else if (strcmp(state, "not configured") == 0) {
			rv_strbuf_printf(&tried, "%s%s", tried.len ? ", " : "", name);
		}
	}
	json_decref(sources);
	if (!good)
		return false;
	struct rv_aws_credentials credentials = { .expires_ms = INT64_MAX };
	if (rv_aws_chain_get(x->aws->chain, x->aws->clock_offset_ms, &credentials, &err) != RV_OK) {
		say_error(x, "credentials", &err);
		return false;
	}
	int64_t left_ms = credentials.expires_ms - rv_clock_ms();
	char time[RV_TIME_TEXT];
	if (credentials.expires_ms != INT64_MAX && left_ms < SOON_MS)
		say(x, "credentials", RV_EXPLAIN_WARN, "get new ones before a long push",
		    "they end at %s", rv_format_time(credentials.expires_ms, time));
	rv_aws_credentials_release(&credentials);
	return true;
}

/* ---- the way there ---------------------------------------------------------------------------- */

/* Any answer is a way there, and tells the time. Asked without credentials. */
static bool explain_endpoint(struct explain *x, const char *service, struct rv_aws_client *client)
{
	RV_CLEANUP(rv_http_response_release)
	struct rv_http_response response = RV_HTTP_RESPONSE_INIT;
	struct rv_error err = RV_ERROR_INIT;
	enum rv_http_outcome outcome;
	const char *endpoint = rv_aws_client_endpoint(client);
	RV_CLEANUP(rv_free_p) char *check = rv_asprintf("%s endpoint", service);
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s/", endpoint);
	const struct rv_http_request request = {
		.method = "GET",
		.url = url,
		.body = RV_HTTP_NO_BODY,
		.total_timeout_ms = 30000,
	};
	if (rv_http_once(x->aws->http, &request, &response, &outcome, &err) != RV_OK) {
		say_error(x, check, &err);
		return false;
	}
	say(x, check, RV_EXPLAIN_OK, NULL, "%s answers%s", endpoint,
	    rv_aws_client_is_custom(client) ? " (configured)" : "");
	if (response.date_ms < 0 || strcmp(service, "s3") != 0)
		return true;
	int64_t ahead_ms = rv_clock_ms() - response.date_ms;
	int64_t off_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;
	char text[RV_NUMBER_TEXT];
	if (off_ms >= SKEW_NOTED_MS)
		say(x, "aws clock", RV_EXPLAIN_WARN,
		    "set the clock of this machine; signatures are corrected by the service's time, but "
		    "object names and ages come from this one",
		    "this machine's clock is %s %s that of %s%s",
		    rv_format_duration(off_ms / 1000 * 1000, text), ahead_ms < 0 ? "behind" : "ahead of",
		    endpoint, off_ms >= SKEW_REFUSED_MS ? ", more than AWS takes" : "");
	else
		say(x, "aws clock", RV_EXPLAIN_OK, NULL, "agrees with %s", endpoint);
	return true;
}

/* ---- the bucket ------------------------------------------------------------------------------- */

static enum rv_status first_is_enough(void *arg, const struct rv_s3_object *object RV_UNUSED,
				      struct rv_error *err)
{
	*(bool *)arg = true;
	return rv_fail(err, RV_FAILED, "enough");
}

/* Asked by a list: its refusal has a body that says why, which that of a HEAD has not. */
static bool explain_bucket(struct explain *x, const char *lake_prefix)
{
	struct rv_error err = RV_ERROR_INIT;
	const char *region = x->aws->settings->region;
	bool enough = false;
	if (rv_s3_list(x->s3, lake_prefix, NULL, false, first_is_enough, &enough, &err) != RV_OK &&
	    !enough) {
		say_error(x, "bucket", &err);
		return false;
	}
	const char *there = rv_aws_client_region(rv_s3_client(x->s3));
	if (region && strcmp(there, region) != 0) {
		RV_CLEANUP(rv_free_p) char *hint = rv_asprintf("set aws.region of the profile to %s", there);
		say(x, "bucket", RV_EXPLAIN_WARN, hint, "%s is in %s, not in %s", x->profile->bucket, there,
		    region);
	} else {
		say(x, "bucket", RV_EXPLAIN_OK, NULL, "%s is there and can be listed", x->profile->bucket);
	}
	return true;
}

struct read_back {
	char bytes[32];
	size_t len;
};

static enum rv_status read_sink(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct read_back *back = arg;
	if (len > sizeof(back->bytes) - back->len)
		return rv_fail(err, RV_FAILED, "the probe was read with more bytes than it has");
	memcpy(back->bytes + back->len, p, len);
	back->len += len;
	return RV_OK;
}

/* A second put under the same name, only if nothing is there: it must be refused. */
static void explain_conditions(struct explain *x, const char *key, const struct rv_http_body *body)
{
	static const struct rv_s3_put if_absent = { .if_absent = true };
	struct rv_error err = RV_ERROR_INIT;
	char etag[RV_S3_ETAG_MAX];
	enum rv_status status = rv_s3_put(x->s3, key, body, &if_absent, etag, &err);
	/* The body is the same: a put that was heeded comes back as a conflict, or as done already. */
	if (status == RV_CONFLICT)
		say(x, "conditions", RV_EXPLAIN_OK, NULL, "writes with If-None-Match are honoured");
	else if (status == RV_OK)
		say(x, "conditions", RV_EXPLAIN_WARN,
		    "let nobody create or push named runs at the same moment, or use a store that has them",
		    "the store ignores If-None-Match: a name that is taken is overwritten");
	else if (err.http_status == 501 || strcmp(err.service_code, "NotImplemented") == 0)
		say(x, "conditions", RV_EXPLAIN_WARN,
		    "two who create or push a named run at the same moment are not kept apart here",
		    "the store has no conditional writes (501); river looks before and after instead");
	else
		say_error(x, "conditions", &err);
}

static void explain_objects(struct explain *x, const char *lake_prefix)
{
	static const char text[] = "river doctor\n";
	static const struct rv_s3_put plain;
	const struct rv_http_body body = { .bytes = text, .fd = -1, .len = sizeof(text) - 1 };
	struct rv_error err = RV_ERROR_INIT;
	char ulid[RV_ULID_TEXT], etag[RV_S3_ETAG_MAX];
	struct read_back back = { .len = 0 };
	bool good = true;
	rv_ulid_new(rv_clock_ms(), ulid);
	RV_CLEANUP(rv_free_p) char *key = rv_asprintf("%s_river/probe-%s", lake_prefix, ulid);
	if (rv_s3_put(x->s3, key, &body, &plain, etag, &err) != RV_OK) {
		rv_context(&err, "write into the lake");
		say_error(x, "lake", &err);
		return;
	}
	if (rv_s3_read(x->s3, key, 0, NULL, read_sink, &back, NULL, &err) != RV_OK) {
		rv_context(&err, "read what was written");
		say_error(x, "lake", &err);
		good = false;
	} else if (back.len != body.len || memcmp(back.bytes, text, back.len) != 0) {
		say(x, "lake", RV_EXPLAIN_FAIL, "look at what stands between here and the store",
		    "what was written to %s is not what is read from it", key);
		good = false;
	}
	explain_conditions(x, key, &body);
	if (rv_s3_delete(x->s3, key, NULL, &err) != RV_OK) {
		rv_context(&err, "remove s3://%s/%s", x->profile->bucket, key);
		say_error(x, "lake", &err);
		good = false;
	}
	if (good)
		say(x, "lake", RV_EXPLAIN_OK, NULL, "s3://%s/%s can be written, read and cleaned",
		    x->profile->bucket, lake_prefix);
}

/* Of a run that was killed; S3 keeps the parts, and bills them, until somebody aborts the upload. */
static void explain_uploads(struct explain *x, const char *lake_prefix)
{
	struct rv_error err = RV_ERROR_INIT;
	uint64_t count;
	enum rv_status status = rv_s3_count_uploads(x->s3, lake_prefix, RV_S3_STRAY_MS, &count, &err);
	if (status != RV_OK && err.http_status == 501)
		return; /* a store that has no such list has no such rest */
	if (status != RV_OK) {
		say(x, "uploads", RV_EXPLAIN_WARN,
		    err.status == RV_AUTH ? "what doctor may ask: river stream create NAME --print-policy"
					  : err.hint,
		    "whether uploads were left unfinished is not known: %s", err.message);
		return;
	}
	RV_CLEANUP(rv_free_p)
	char *hint = rv_asprintf("the next object of 64 MiB or more that river puts there removes them; or "
				 "remove them now: aws s3api list-multipart-uploads --bucket %s --prefix "
				 "'%s', then abort-multipart-upload for each",
				 x->profile->bucket, lake_prefix);
	if (count)
		say(x, "uploads", RV_EXPLAIN_WARN, hint,
		    "%" PRIu64 " unfinished upload%s older than a day below s3://%s/%s: %s parts are paid for",
		    count, count == 1 ? " is" : "s are", x->profile->bucket, lake_prefix,
		    count == 1 ? "its" : "their");
	else
		say(x, "uploads", RV_EXPLAIN_OK, NULL, "none was left unfinished for longer than a day");
}

/* ---- Firehose --------------------------------------------------------------------------------- */

struct streams {
	struct explain *x;
	struct rv_firehose *firehose;
	size_t count, active;
	bool stopped;
};

static enum rv_status explain_stream(void *arg, const char *name, struct rv_error *err)
{
	struct streams *streams = arg;
	struct rv_firehose_stream found = { .name = NULL };
	struct rv_error why = RV_ERROR_INIT;
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	char firehose[RV_STREAM_PLACE_MAX];
	rv_stream_init(&stream);
	if (rv_stream_parse_name(name, &stream, err) != RV_OK)
		return err->status;
	rv_stream_firehose(&stream, firehose);
	if (streams->count++ == STREAMS_MAX) {
		say(streams->x, "streams", RV_EXPLAIN_WARN, NULL, "only the first %d were looked at",
		    STREAMS_MAX);
		streams->stopped = true;
		return rv_fail(err, RV_FAILED, "enough");
	}
	enum rv_status status = rv_firehose_describe(streams->firehose, firehose, &found, &why);
	if (status == RV_NOT_FOUND) {
		RV_CLEANUP(rv_free_p) char *hint = rv_asprintf("river stream create %s makes it, when the "
							       "definition is the same", name);
		say(streams->x, "streams", RV_EXPLAIN_FAIL, hint, "%s has no delivery stream %s", name,
		    firehose);
	} else if (status != RV_OK) {
		say_error(streams->x, "streams", &why);
		/* What is refused or out of reach for one is for all. */
		streams->stopped = true;
		*err = why;
		return status;
	} else if (strcmp(found.status, "ACTIVE") != 0) {
		say(streams->x, "streams", RV_EXPLAIN_FAIL,
		    strcmp(found.status, "CREATING") == 0 ? "wait a minute and look again"
							  : "river stream create mends it",
		    "the delivery stream %s of %s is %s%s%s", firehose, name, found.status,
		    found.failure ? ": " : "", found.failure ? found.failure : "");
	} else {
		streams->active++;
	}
	rv_firehose_stream_release(&found);
	return RV_OK;
}

static void explain_firehose(struct explain *x)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_store *lake = NULL;
	struct streams streams = { .x = x };
	if (!x->profile->delivery_role_arn)
		say(x, "firehose role", RV_EXPLAIN_WARN,
		    "set delivery.role_arn of the profile; river stream create --print-policy has its policy",
		    "no role is set: stream create cannot make delivery streams");
	if (rv_firehose_new(x->aws, &streams.firehose, &err) != RV_OK) {
		say_error(x, "firehose", &err);
		return;
	}
	if (explain_endpoint(x, "firehose", rv_firehose_client(streams.firehose))) {
		if (rv_wire_lake(x->profile, &lake, &err) != RV_OK ||
		    (rv_catalog_list(lake, "", NULL, explain_stream, &streams, &err) != RV_OK &&
		     !streams.stopped))
			say_error(x, "streams", &err);
		else if (!streams.stopped)
			say(x, "streams", RV_EXPLAIN_OK, NULL,
			    "%zu of %zu have an active delivery stream", streams.active, streams.count);
	}
	rv_store_free_p(&lake);
	rv_firehose_free(streams.firehose);
}

/* ---- the whole -------------------------------------------------------------------------------- */

void rv_wire_explain(const struct rv_profile *profile, rv_explain_each *each, void *arg)
{
	struct explain x = { .profile = profile, .each = each, .arg = arg };
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p)
	char *prefix = profile->lake_prefix && profile->lake_prefix[0]
			       ? rv_asprintf("%s/", profile->lake_prefix)
			       : rv_strdup("");
	if (!explain_settings(&x))
		return;
	bool keys = explain_credentials(&x);
	if (!x.s3 && rv_s3_new(x.aws, profile->bucket, &x.s3, &err) != RV_OK) {
		say_error(&x, "bucket", &err);
		return;
	}
	/* The way there is told of also without keys: both may be wrong. */
	bool there = explain_endpoint(&x, "s3", rv_s3_client(x.s3));
	if (keys && there && explain_bucket(&x, prefix)) {
		explain_objects(&x, prefix);
		explain_uploads(&x, prefix);
		if (strcmp(profile->delivery_type, "firehose") == 0)
			explain_firehose(&x);
	}
	rv_s3_free(x.s3);
}
