/*
 * Rejects in the lake: what could not be taken as a record, with its reason and its original bytes.
 *
 *   _river/rejects/<business>/<stream>/<day>/<run>-<seq %06u>-r<n>.ndjson
 *
 * A line each: {"v":1,"code":…,"reason":…,"source":…,"line":…,"offset":…,"fault":…,"bytes":"<base64>",
 * "length":…}. Before "bytes" also "format":…, what it was read as, and for csv, unless it is what the csv
 * row before it in the object had, "csv":{"header":…,"delimiter":…,"quote":…,"nulls":[…]}. The bytes stand nearly last so that a reject of many GB can be written and read in
 * pieces. Written by flow/batch.h, and by `river spool export`.
 */
#ifndef RV_FLOW_REJECTS_H
#define RV_FLOW_REJECTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "flow/object_name.h"
#include "format/reader.h"
#include "store/store.h"

#define RV_REJECTS_VERSION 1
#define RV_REJECTS_HEADER_MAX (1u << 20) /* a csv header longer than this is not kept */

struct rv_rejects_name {
	char business[RV_BUSINESS_MAX + 1];
	char stream[RV_STREAM_NAME_MAX + 1];
	char day[12];            /* "2026-11-20" */
	char run[RV_RUN_MAX + 1];
	uint64_t seq;
	uint64_t rejected;
};
/* ret has RV_OBJECT_NAME_MAX bytes. */
void rv_rejects_name_format(const struct rv_rejects_name *name, char *ret);
/* False for anything that is not exactly such a name. */
bool rv_rejects_name_parse(const char *text, struct rv_rejects_name *ret);

struct rv_reject {
	uint64_t number;         /* in its object, from 1 */
	const char *code, *reason, *source; /* borrowed for the callback */
	uint64_t line, offset;   /* of the first byte in the source */
	uint64_t fault;          /* offset of the fault */
	enum rv_format format;   /* AUTO: an older river did not say */
	const json_t *csv;       /* what is said above of this row; NULL: unknown, or not csv */
};
/* Appends what a piece (format/reader.h, RV_SPAN_REJECT) adds to a line. `source` and `csv` (Optional: what is said there)
 * are for the first one, `length`, of all pieces, for the last. */
void rv_rejects_add_piece(struct rv_strbuf *out, const struct rv_span *span, const char *source, const char *csv,
			  uint64_t length);

/* Called in this order for each reject; any but RV_OK ends the reading with it. */
struct rv_rejects_sink {
	enum rv_status (*begin)(void *arg, const struct rv_reject *reject, struct rv_error *err);
	enum rv_status (*bytes)(void *arg, const void *p, size_t len, struct rv_error *err);
	enum rv_status (*end)(void *arg, uint64_t length, struct rv_error *err);
	void *arg;
};
/* A reader that is fed the content of one object in pieces of any size. */
struct rv_rejects_reader;
struct rv_rejects_reader *rv_rejects_reader_new(const char *name, const struct rv_rejects_sink *sink);
void rv_rejects_reader_free(struct rv_rejects_reader *reader);
void rv_rejects_reader_free_p(struct rv_rejects_reader **reader);
enum rv_status rv_rejects_reader_feed(struct rv_rejects_reader *reader, const void *p, size_t len,
				      struct rv_error *err) RV_MUST_CHECK;
/* `ret_count` (Optional) rejects were read. */
enum rv_status rv_rejects_reader_end(struct rv_rejects_reader *reader, uint64_t *ret_count,
				     struct rv_error *err) RV_MUST_CHECK;

/* Reads one object, in bounded memory. RV_DAMAGED with object and line when it is not what its name
 * says; what came before has been handed out by then. RV_BAD_CONFIG: of a newer river. */
enum rv_status rv_rejects_read(struct rv_store *lake, const char *name,
			       const struct rv_rejects_sink *sink, struct rv_error *err) RV_MUST_CHECK;

/* The stream's rejects in the order of day, run and number; `stream` NULL: those of all streams, one after
 * the other, also of streams that were deleted. `run` Optional; `since_day` Optional:
 * "2026-11-20", not those of days before. Names that are not river's are passed over. */
enum rv_status rv_rejects_each(struct rv_store *lake, const struct rv_stream *stream,
			       const char *run, const char *since_day,
			       enum rv_status (*each)(void *arg, const struct rv_rejects_name *name,
						      const struct rv_store_object *object,
						      struct rv_error *err),
			       void *arg, struct rv_error *err) RV_MUST_CHECK;

/*
 * Replays. The rejects of one object are pushed again under one run, whose name comes from theirs, so
 * that replaying twice lands once. What is rejected again is the rejects of that run: it is the one
 * to replay next, and its object before is done.
 */
void rv_rejects_replay_run(const struct rv_rejects_name *name, char ret[RV_RUN_MAX + 1]);
/* Rejects that are not all read the same way are replayed in parts, a run each. Part 0 has the run above
 * and comes last: with its receipt the whole object is done. */
void rv_rejects_replay_part(const struct rv_rejects_name *name, unsigned part,
			    char ret[RV_RUN_MAX + 1]);
/* New reference: {"<run>": {"accepted": n, "rejected": n}} of every replay that came to its end. */
enum rv_status rv_rejects_replays(struct rv_store *lake, const struct rv_stream *stream, json_t **ret,
				  struct rv_error *err) RV_MUST_CHECK;

#endif
