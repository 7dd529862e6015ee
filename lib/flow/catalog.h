/*
 * The streams of a lake: one object each, `_river/streams/<business>/<stream>.json`, changed only
 * under conditions, so that two people at once are told of each other.
 *
 * Names are checked here (RV_USAGE). Every call first looks at `_river/format.json` and refuses a
 * lake of a newer river (RV_BAD_CONFIG). Besides that: what the store says.
 */
#ifndef RV_FLOW_CATALOG_H
#define RV_FLOW_CATALOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "store/store.h"

#define RV_LAKE_FORMAT_NAME "_river/format.json"
#define RV_LAKE_FORMAT_VERSION 1
#define RV_CATALOG_PREFIX "_river/streams/"

/* RV_BAD_CONFIG when the lake was written by a newer river; a lake without the file is new. */
enum rv_status rv_catalog_check_lake(struct rv_store *lake, struct rv_error *err) RV_MUST_CHECK;

/*
 * The stream called `name`. `ret` is initialised, and untouched on failure; `ret_etag` (Optional,
 * RV_ETAG_TEXT bytes) is for update and delete. RV_NOT_FOUND comes with the nearest name that
 * exists, or with how to create it.
 */
enum rv_status rv_catalog_get(struct rv_store *lake, const char *name, struct rv_stream *ret,
			      char *ret_etag, struct rv_error *err) RV_MUST_CHECK;

enum rv_catalog_outcome {
	RV_CATALOG_CREATED,
	RV_CATALOG_UNCHANGED, /* it exists with the same definition */
	RV_CATALOG_DIFFERS,   /* it exists with another one: `existing` has it */
};
struct rv_catalog_create {
	bool adopt;       /* objects already under its prefix are its own */
	bool fresh;       /* they belong to a former stream: `since` is set */
	bool dry_run;     /* all checks, no write; CREATED means it would be */
	int64_t now_ms;   /* Required: creation time, and what `since` is taken from */
	bool is_checked;  /* with dry_run: rv_catalog_check_lake has been asked */
	const char *id;   /* Optional: what to call it, where a plan has said so already */
};
/*
 * Creates `stream` and fills its id, created_ms, nonce and since; with UNCHANGED they are the
 * existing one's. Many at once: one creates, the others are told UNCHANGED or DIFFERS. `existing`
 * (initialised) is filled with DIFFERS.
 *
 * RV_CONFLICT: objects are already under the prefix and neither adopt nor fresh is given; or
 * fresh, but some lie in the folder of the present hour (or a later one), where the new stream's
 * own would go.
 */
enum rv_status rv_catalog_create(struct rv_store *lake, struct rv_stream *stream,
				 const struct rv_catalog_create *params,
				 enum rv_catalog_outcome *ret, struct rv_stream *existing,
				 struct rv_error *err) RV_MUST_CHECK;

/* Replaces the definition that had `etag`; identity (id, creation, since) is taken from `old`.
 * RV_CONFLICT when somebody else changed or deleted it meanwhile. */
enum rv_status rv_catalog_update(struct rv_store *lake, const struct rv_stream *old,
				 const char *etag, struct rv_stream *stream,
				 struct rv_error *err) RV_MUST_CHECK;
/* The definition only. `etag` Optional. Missing is RV_NOT_FOUND with etag, fine without. */
enum rv_status rv_catalog_delete(struct rv_store *lake, const char *name, const char *etag,
				 struct rv_error *err) RV_MUST_CHECK;

/* What of a stream's own lies in the lake. */
enum rv_catalog_part { RV_CATALOG_OBJECTS, RV_CATALOG_RECEIPTS, RV_CATALOG_REJECTS,
		       RV_CATALOG_LANDING, RV_CATALOG_RUNS, RV_CATALOG_PARTS };
extern const char *const rv_catalog_part_names[RV_CATALOG_PARTS]; /* "objects", ... */
struct rv_catalog_contents {
	uint64_t count[RV_CATALOG_PARTS], bytes[RV_CATALOG_PARTS];
};
enum rv_status rv_catalog_contents(struct rv_store *lake, const struct rv_stream *stream,
				   struct rv_catalog_contents *ret,
				   struct rv_error *err) RV_MUST_CHECK;
/* Removes all of it; the definition stays. Ended half way, calling it again finishes. */
enum rv_status rv_catalog_remove_contents(struct rv_store *lake, const struct rv_stream *stream,
					  struct rv_catalog_contents *ret,
					  struct rv_error *err) RV_MUST_CHECK;

/* "business/name" of every stream whose text begins with `prefix` ("" for all), in bytewise order
 * behind `after` (Optional). Reads no definition. `each` returning other than RV_OK ends the list
 * with it. */
enum rv_status rv_catalog_list(struct rv_store *lake, const char *prefix, const char *after,
			       enum rv_status (*each)(void *arg, const char *name,
						      struct rv_error *err),
			       void *arg, struct rv_error *err) RV_MUST_CHECK;

#endif
