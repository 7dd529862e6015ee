/*
 * The Firehose delivery: a batch goes out as records, window by window, and is done when each is
 * acknowledged. What Firehose cannot or will not take goes into the lake as an object instead.
 */
#include "delivery/firehose_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/firehose_crew.h"
#include "format/compress.h"

/*
 * A batch being filled, two that wait and one in flight are in memory at a time; four times this is
 * half of what a push may take.
 */
#define BATCH_BYTES (5u << 20)
#define IN_FLIGHT 4
#define GIVE_UP_AFTER_MS 60000
/* Half way between few bytes lost to rounding (2 % at 128 KB) and requests of a good size. */
#define PACK_BYTES 250000
/* What is in flight is in memory, once as JSON and once more on its way into the socket; larger
 * requests are not faster. */
#define REQUEST_BYTES 1000000
/* What is left of a batch is put into the lake from memory. */
#define REST_BYTES (16u << 20)
/* Between looks at a stream that is being made. */
#define NOT_READY_MS 3000

struct firehose {
	struct rv_delivery base;
	struct rv_delivery_firehose_params params;
	struct rv_firehose_service service;
	struct rv_delivery *direct;
	struct rv_firehose_crew *crew;
	struct rv_firehose_window window;
	char stream[RV_STREAM_PLACE_MAX]; /* the one being sent to */
	char *slice;                      /* of a body in a file; NULL until there is one */
	size_t slice_size;
};

/* ---- bodies ------------------------------------------------------------------ */

static enum rv_status read_slice(const struct firehose *firehose, int fd, uint64_t from, size_t len,
				 struct rv_error *err)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = pread(fd, firehose->slice + have, len - have, (off_t)(from + have));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "read a spooled batch");
		if (n == 0)
			return rv_fail(err, RV_DAMAGED, "a spooled batch ends at byte %" PRIu64,
				       from + have);
		have += (size_t)n;
	}
	return RV_OK;
}

/* The bytes of a body from `from` on, as many as a window may hold. */
static enum rv_status look_at(struct firehose *firehose, const struct rv_store_body *body,
			      uint64_t from, const char **ret, size_t *ret_len, struct rv_error *err)
{
	uint64_t left = body->len - from;
	size_t len = left < RV_FIREHOSE_WINDOW_BYTES ? (size_t)left : RV_FIREHOSE_WINDOW_BYTES;

	*ret_len = len;
	if (body->fd < 0) {
		*ret = (const char *)body->bytes + from;
		return RV_OK;
	}
	if (firehose->slice_size < len) {
		free(firehose->slice);
		firehose->slice = rv_malloc(len);
		firehose->slice_size = len;
	}
	*ret = firehose->slice;
	return read_slice(firehose, body->fd, from, len, err);
}

/* ---- sending ----------------------------------------------------------------- */

static enum rv_status put(void *arg, const struct rv_firehose_record *records, size_t count,
			  struct rv_firehose_room *room, enum rv_firehose_fate *fates,
			  struct rv_firehose_result *ret, struct rv_error *err)
{
	struct firehose *firehose = arg;

	return firehose->service.put(firehose->service.arg, firehose->stream, records, count, room,
				     fates, ret, err);
}

/* The batch as an object, under its name; the stamps tell what was also sent. */
static enum rv_status into_lake(struct firehose *firehose, const struct rv_delivery_batch *batch,
				struct rv_delivery_result *ret, struct rv_error *err)
{
	struct rv_delivery_result direct;
	enum rv_status status = firehose->direct->ops->send(firehose->direct, batch, &direct, err);

	ret->level = direct.level;
	return status;
}

/* What Firehose has of the batch, from this attempt and from those before. */
static uint64_t count_acknowledged(const struct rv_delivery_batch *batch)
{
	uint64_t count = 0;

	for (uint64_t i = 0; batch->acknowledged && i < batch->records; i++)
		count += batch->acknowledged[i / 8] >> (i % 8) & 1;
	return count;
}

/* ---- the rest of a batch ------------------------------------------------------ */

static enum rv_status append(void *arg, const void *p, size_t len, struct rv_error *err RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

/* The lines that are not acknowledged, compressed, and their hash. *ret_fits false: more than REST_BYTES. */
static enum rv_status collect_rest(struct firehose *firehose, const struct rv_delivery_batch *batch,
				   struct rv_compressor *gzip, XXH3_state_t *hash, bool *ret_fits,
				   struct rv_error *err)
{
	struct rv_firehose_window *window = &firehose->window;
	uint64_t from = 0, first = 0, total = 0;

	*ret_fits = true;
	while (from < batch->body.len) {
		const char *bytes;
		size_t len;

		if (look_at(firehose, &batch->body, from, &bytes, &len, err) != RV_OK)
			return err->status;
		from += rv_firehose_window_open(window, bytes, len);
		if (window->too_long) { /* nothing was sent from here on, and it would not be */
			*ret_fits = false;
			return RV_OK;
		}
		if (!window->count || first + window->count > batch->records)
			return rv_fail(err, RV_DAMAGED, "batch %s changed while it was sent", batch->name);
		rv_firehose_window_mark(window, batch->acknowledged, first);
		for (size_t i = 0; i < window->count; i++) {
			size_t start = i ? window->ends[i - 1] : 0, line = window->ends[i] - start;

			if (window->state[i] != RV_FIREHOSE_LINE_WAITING)
				continue;
			total += line;
			if (total > REST_BYTES) {
				*ret_fits = false;
				return RV_OK;
			}
			XXH3_128bits_update(hash, bytes + start, line);
			if (rv_compressor_write(gzip, bytes + start, line, err) != RV_OK)
				return err->status;
		}
		first += window->count;
	}
	return rv_compressor_end(gzip, err);
}

/* As Firehose names its objects, in the batch's own hour: what is in it is known by its stamps, like all that
 * Firehose brings, and the batch's name promises all of the batch. The same rest has the same name; version 8 of
 * a UUID is what a vendor makes of it (RFC 9562), and none that Firehose draws. */
static char *rest_name(const struct firehose *firehose, const struct rv_delivery_batch *batch,
		       XXH128_hash_t hash)
{
	const char *folder_end = strrchr(batch->name, '/');
	const char *day = strstr(batch->name, "/dt="), *hour = strstr(batch->name, "/hr=");

	if (!folder_end || !day || !hour)
		rv_bug("the batch %s lies in no hour", batch->name);
	return rv_asprintf("%.*s/%s-1-%.10s-%.2s-00-00-%08" PRIx64 "-%04" PRIx64 "-8%03" PRIx64 "-8%03" PRIx64
			   "-%012" PRIx64 ".ndjson.gz",
			   (int)(folder_end - batch->name), batch->name, firehose->stream, day + 4, hour + 4,
			   (uint64_t)hash.high64 >> 32, (uint64_t)hash.high64 >> 16 & 0xffff,
			   (uint64_t)hash.high64 & 0xfff, (uint64_t)hash.low64 >> 48 & 0xfff,
			   (uint64_t)hash.low64 & UINT64_C(0xffffffffffff));
}

/* Only what Firehose has not acknowledged goes around it. *ret_done false: the batch has to go whole. */
static enum rv_status rest_into_lake(struct firehose *firehose, const struct rv_delivery_batch *batch,
				     bool *ret_done, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	struct rv_compressor *gzip;
	XXH3_state_t *hash = XXH3_createState();
	bool fits = false;

	*ret_done = false;
	if (!hash)
		return rv_fail(err, RV_LOCAL_IO, "no memory for a hash");
	enum rv_status status = rv_compressor_new(RV_OUTPUT_GZIP, 0, &gzip, err);
	if (status == RV_OK) {
		XXH3_128bits_reset(hash);
		/* without stamps two batches may leave the same behind */
		XXH3_128bits_update(hash, batch->name, strlen(batch->name));
		rv_compressor_begin(gzip, append, &body);
		status = collect_rest(firehose, batch, gzip, hash, &fits, err);
		rv_compressor_free(gzip);
	}
	XXH128_hash_t digest = XXH3_128bits_digest(hash);

	XXH3_freeState(hash);
	if (status != RV_OK || !fits)
		return status;
	RV_CLEANUP(rv_free_p) char *name = rest_name(firehose, batch, digest);
	const struct rv_delivery_batch rest = {
		.stream = batch->stream,
		.name = name,
		.body = { .bytes = body.bytes, .len = body.len, .fd = -1 },
	};
	struct rv_delivery_result direct;

	*ret_done = true;
	return firehose->direct->ops->send(firehose->direct, &rest, &direct, err);
}

/* Firehose says "not found" also of a stream that is being made, and for a moment of one that was
 * just made. *ret_wait: it will be there soon. */
static void explain_missing(struct firehose *firehose, bool *ret_wait, struct rv_error *err)
{
	struct rv_firehose_service *service = &firehose->service;
	struct rv_error why = *err, unseen = RV_ERROR_INIT;
	struct rv_firehose_stream seen;

	*ret_wait = false;
	if (service->describe(service->arg, firehose->stream, &seen, &unseen) != RV_OK) {
		*err = why;
		rv_hint(err, "make it with 'river stream create'; if it is there, it is in another region "
			     "or account than this one (%s)", service->region(service->arg));
		return;
	}
	*ret_wait = strcmp(seen.status, "CREATING") == 0 || strcmp(seen.status, "ACTIVE") == 0;
	if (strcmp(seen.status, "ACTIVE") != 0) {
		rv_fail(err, RV_FAILED, "the delivery stream %s is not active but %s%s%s", firehose->stream,
			seen.status, seen.failure ? ": " : "", seen.failure ? seen.failure : "");
		if (*ret_wait)
			rv_hint(err, "wait: a new delivery stream takes a minute or two");
		else
			rv_hint(err, "delete the delivery stream and make it again with 'river stream create'");
	}
	err->transient = true;
	rv_firehose_stream_release(&seen);
}

static bool must_stop(const struct firehose *firehose)
{
	return firehose->params.should_stop && firehose->params.should_stop();
}

/* False: told to stop. */
static bool wait_until(const struct firehose *firehose, int64_t at_ms)
{
	const struct timespec slice = { .tv_nsec = 20000000 };

	while (rv_clock_monotonic_ms() < at_ms) {
		if (must_stop(firehose))
			return false;
		nanosleep(&slice, NULL);
	}
	return true;
}

/* One window, also when the stream has first to become active. */
static enum rv_status carry(struct firehose *firehose, uint8_t *acknowledged, uint64_t first,
			    struct rv_firehose_carried *carried, struct rv_error *err)
{
	int64_t pause_ms = firehose->service.pause_max_ms < NOT_READY_MS ?
				   firehose->service.pause_max_ms : NOT_READY_MS;
	int64_t give_up = rv_clock_monotonic_ms() + firehose->params.give_up_after_ms;

	for (;;) {
		enum rv_status status = rv_firehose_crew_carry(firehose->crew, &firehose->window,
							       acknowledged, first, carried, err);
		bool wait;

		if (status != RV_NOT_FOUND)
			return status;
		int64_t again = rv_clock_monotonic_ms() + pause_ms;
		explain_missing(firehose, &wait, err);
		if (!wait || again > give_up || !wait_until(firehose, again))
			return err->status;
	}
}

/* Every record of the batch as one of Firehose's. *ret_divert: it has to go into the lake. */
static enum rv_status send_records(struct firehose *firehose, const struct rv_delivery_batch *batch,
				   struct rv_firehose_carried *carried, bool *ret_divert,
				   struct rv_error *err)
{
	uint64_t from = 0, first = 0;

	*ret_divert = false;
	while (from < batch->body.len) {
		const char *bytes;
		size_t len;

		if (look_at(firehose, &batch->body, from, &bytes, &len, err) != RV_OK)
			return err->status;
		from += rv_firehose_window_open(&firehose->window, bytes, len);
		uint64_t last = first + firehose->window.count;
		if (firehose->window.too_long) {
			*ret_divert = true;
			return RV_OK;
		}
		if (!firehose->window.count || last > batch->records ||
		    (from == batch->body.len && last != batch->records))
			return rv_fail(err, RV_DAMAGED,
				       "batch %s has %" PRIu64 " records, and %" PRIu64 " lines by byte %" PRIu64,
				       batch->name, batch->records, last, from);
		if (batch->acknowledged)
			rv_firehose_window_mark(&firehose->window, batch->acknowledged, first);
		if (carry(firehose, batch->acknowledged, first, carried, err) != RV_OK) {
			*ret_divert = carried->poisoned;
			return carried->poisoned ? RV_OK : err->status;
		}
		first = last;
	}
	return RV_OK;
}

static enum rv_status firehose_send(struct rv_delivery *base, const struct rv_delivery_batch *batch,
				    struct rv_delivery_result *ret, struct rv_error *err)
{
	struct firehose *firehose = (struct firehose *)base;
	struct rv_firehose_carried carried = { .last = RV_ERROR_INIT };
	bool divert;

	*ret = (struct rv_delivery_result){ .level = RV_DELIVERED_NONE };
	if (!rv_ends_with(batch->name, ".ndjson"))
		return into_lake(firehose, batch, ret, err);
	rv_stream_firehose(batch->stream, firehose->stream);
	enum rv_status status = send_records(firehose, batch, &carried, &divert, err);
	ret->requests = carried.requests;
	ret->refused = carried.refused_lines;
	ret->maybe_twice = carried.doubted_lines;
	ret->record_bytes = carried.taken_bytes;
	ret->billed_bytes = carried.billed_bytes;
	if (status != RV_OK) {
		if (!err->hint[0] && err->transient && !must_stop(firehose))
			rv_hint(err, "it is kept, and sent again by the next push or by 'river spool flush'");
		return rv_context(err, "send to the delivery stream %s", firehose->stream);
	}
	if (!divert) {
		ret->level = RV_DELIVERED_SENT;
		return RV_OK;
	}
	if (carried.poisoned)
		snprintf(ret->diverted, sizeof(ret->diverted), "refused %d times: %.280s",
			 RV_FIREHOSE_REFUSALS_MAX, carried.last.message);
	if (carried.poisoned && batch->acknowledged) {
		bool done;

		if (rest_into_lake(firehose, batch, &done, err) != RV_OK)
			return err->status;
		if (done) {
			ret->level = RV_DELIVERED_SENT;
			return RV_OK;
		}
	}
	/* The object has all of the batch: its name is promised. */
	ret->maybe_twice += count_acknowledged(batch);
	if (ret->maybe_twice > batch->records)
		ret->maybe_twice = batch->records;
	return into_lake(firehose, batch, ret, err);
}

static void firehose_free(struct rv_delivery *base)
{
	struct firehose *firehose = (struct firehose *)base;

	rv_firehose_crew_free(firehose->crew);
	rv_firehose_window_release(&firehose->window);
	rv_delivery_free(firehose->direct);
	if (firehose->service.free)
		firehose->service.free(firehose->service.arg);
	free(firehose->slice);
	free(firehose);
}

static const struct rv_delivery_ops firehose_ops = {
	.name = "firehose",
	.max_record_bytes = RV_FIREHOSE_RECORD_MAX,
	.batch_record_bytes = BATCH_BYTES,
	.plain_bodies = true,
	.names_objects = false,
	.send = firehose_send,
	.free = firehose_free,
};

struct rv_delivery *rv_delivery_firehose_with(const struct rv_delivery_firehose_params *params,
					      const struct rv_firehose_service *service)
{
	struct firehose *firehose = rv_calloc(1, sizeof(*firehose));

	firehose->base.ops = &firehose_ops;
	firehose->params = *params;
	if (!firehose->params.in_flight)
		firehose->params.in_flight = IN_FLIGHT;
	if (!firehose->params.give_up_after_ms)
		firehose->params.give_up_after_ms = GIVE_UP_AFTER_MS;
	firehose->service = *service;
	if (!firehose->service.pause_max_ms)
		firehose->service.pause_max_ms = RV_FIREHOSE_PAUSE_MAX_MS;
	firehose->direct = rv_delivery_direct_new(params->lake);
	const struct rv_firehose_crew_params crew = {
		.put = put,
		.arg = firehose,
		.in_flight = firehose->params.in_flight,
		.limits = {
			.records = RV_FIREHOSE_BATCH_RECORDS,
			.bytes = REQUEST_BYTES,
			.record_bytes = params->pack ? PACK_BYTES : 0,
		},
		.give_up_after_ms = firehose->params.give_up_after_ms,
		.pause_max_ms = firehose->service.pause_max_ms,
		.should_stop = params->should_stop,
	};
	firehose->crew = rv_firehose_crew_new(&crew);
	return &firehose->base;
}

uint64_t rv_delivery_firehose_packed_bytes(uint64_t bytes, uint64_t batches)
{
	/* Two that follow each other are longer than one may be, and each is rounded up. */
	return bytes + (2 * (bytes / PACK_BYTES) + batches) * RV_FIREHOSE_BILLED_BYTES;
}

/* ---- Firehose itself --------------------------------------------------------- */

static enum rv_status service_put(void *arg, const char *stream,
				  const struct rv_firehose_record *records, size_t count,
				  struct rv_firehose_room *room, enum rv_firehose_fate *fates,
				  struct rv_firehose_result *ret, struct rv_error *err)
{
	return rv_firehose_put(arg, stream, records, count, room, fates, ret, err);
}

static enum rv_status service_describe(void *arg, const char *stream,
				       struct rv_firehose_stream *ret, struct rv_error *err)
{
	return rv_firehose_describe(arg, stream, ret, err);
}

static const char *service_region(void *arg)
{
	return rv_aws_client_region(rv_firehose_client(arg));
}

static void service_free(void *arg)
{
	rv_firehose_free(arg);
}

enum rv_status rv_delivery_firehose_new(const struct rv_delivery_firehose_params *params,
					struct rv_delivery **ret, struct rv_error *err)
{
	struct rv_firehose_service service = {
		.put = service_put,
		.describe = service_describe,
		.region = service_region,
		.free = service_free,
	};
	struct rv_firehose *api;

	if (rv_firehose_new(params->aws, &api, err) != RV_OK)
		return err->status;
	service.arg = api;
	*ret = rv_delivery_firehose_with(params, &service);
	return RV_OK;
}
