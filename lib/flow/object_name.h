/*
 * Names in the lake (semantics.md 2), made and taken apart. They carry the counts and the set hash
 * of what is in the object, so a listing alone can be reconciled.
 *
 *   data/<business>/<stream>/dt=2026-11-20/hr=14/<run>-<seq %06u>-r<records>-h<hash16>.ndjson.zst
 *
 * Beside them stand the objects that Amazon Data Firehose writes, under names of its own:
 *
 *   data/web/clicks/dt=2026-11-20/hr=14/river-web-clicks-1-2026-11-20-14-03-00-<uuid>.ndjson.gz
 */
#ifndef RV_FLOW_OBJECT_NAME_H
#define RV_FLOW_OBJECT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/stream.h"

#define RV_RUN_MAX 64
#define RV_OBJECT_NAME_MAX 384

struct rv_object_name {
	char business[RV_BUSINESS_MAX + 1];
	char stream[RV_STREAM_NAME_MAX + 1];
	char folder[24];            /* "dt=2026-11-20/hr=14" */
	char run[RV_RUN_MAX + 1];
	uint64_t seq;
	uint64_t records;
	uint64_t set_hash;
	enum rv_output_compression compression; /* GZIP for both gzips */
};

/* [a-z0-9][a-z0-9._-]{0,63}: what --run accepts. */
bool rv_run_name_valid(const char *run);
/* ret has RV_OBJECT_NAME_MAX bytes. */
void rv_object_name_format(const struct rv_object_name *name, char *ret);
/* False for anything that is not exactly such a name. */
bool rv_object_name_parse(const char *text, struct rv_object_name *ret);
/* "dt=2026-11-20/hr=14", of the calendar. */
bool rv_object_folder_valid(const char *folder);
/* What Firehose calls an object: <stream>-<version>-<YYYY-MM-dd-HH-mm-ss>-<uuid><extension>
 * (Developer Guide, "Configure Amazon S3 object name format"). The folder is from the arrival of the
 * object's oldest record; nothing of the name says what the object holds. */
struct rv_firehose_name {
	char folder[24];            /* "dt=2026-11-20/hr=14" */
	uint64_t version;           /* of the delivery stream's configuration */
	bool gzip;
};
/* False for anything that is not exactly the name of an object that Firehose wrote for `stream`,
 * with the extension .ndjson.gz, .gz or none. */
bool rv_firehose_name_parse(const char *text, const struct rv_stream *stream,
			    struct rv_firehose_name *ret);
/* "data/<business>/<stream>/" into ret. */
void rv_object_prefix(const struct rv_stream *stream, char *ret);
/* ".ndjson.zst", ".ndjson.gz", ".ndjson" */
const char *rv_object_suffix(enum rv_output_compression compression);

#endif
