/*
 * A map file: how a row of a data set becomes an event (`river pump --map`). Read whole and checked whole:
 * what is wrong in it is RV_BAD_CONFIG with line and column, before anything is sent.
 *
 *   input: { format: csv, delimiter: ";" }         # default: looked at
 *   session: session_id_hash                       # equal values: sent in order
 *   time: { column: server_timestamp_epoch_ms, as: ms }
 *   lookup:
 *     catalog: { file: sku_to_content.csv, key: product_sku_hash, by: product_sku_hash }
 *   kinds:                                         # the first whose columns have these values
 *     pageview: { event_type: pageview }
 *     purchase: { event_type: event_product, product_action: [purchase, order] }
 *   others: reject                                 # or skip: rows of no kind
 *   fields:                                        # of the event, in this order
 *     dl: "https://shop.example/?page={hashed_url}"
 *     tm: now
 *     z: uuid4
 *     cid: { uuid5: session_id_hash, namespace: dns }
 *     sr: { pick: [1024x768, 1920x1080], by: session_id_hash }
 *     t: { switch: event_type, cases: { pageview: pageview, event_product: event } }
 *     tr: { lookup: catalog.price_bucket, as: number, empty: "0.0", absent: "0.0", kinds: [purchase] }
 *
 * Without `fields` a row is sent as it is. Columns are those of a CSV header, or paths into a JSON record
 * (format/json_path.h).
 *
 * Arguments are borrowed for the call; the map owns what it points to.
 */
#ifndef RV_CONFIG_MAP_H
#define RV_CONFIG_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/stream.h"
#include "format/reader.h"
#include "format/uuid.h"

#define RV_MAP_KINDS_MAX 64
#define RV_MAP_LOOKUPS_MAX 16
#define RV_MAP_FIELDS_MAX 1000
#define RV_MAP_NONE SIZE_MAX /* no column, no lookup */

/* Text with columns in it: "a{b}c" is three pieces. */
struct rv_map_piece {
	size_t column;           /* index into columns; NONE: the text */
	char *text;              /* as it is */
	size_t len;
	char *json;              /* as it stands in a JSON string, without quotes */
	size_t json_len;
};
struct rv_map_text {
	struct rv_map_piece *pieces;
	size_t count;
};

enum rv_map_from {
	RV_MAP_TEXT,             /* `text` */
	RV_MAP_LITERAL,          /* `literal`, JSON as it is */
	RV_MAP_NOW,              /* the event's time */
	RV_MAP_UUID4,            /* a new id */
	RV_MAP_ROW,              /* the row's number, from 1 */
	RV_MAP_COLUMN,           /* `column`, as it is in the row */
	RV_MAP_UUID5,            /* of `text` in `name_space` */
	RV_MAP_HASH,             /* of `text`, in hexadecimal */
	RV_MAP_PICK,             /* one of `choices`, always the same for the same `text` */
	RV_MAP_LOOKUP,           /* a column of the second file */
	RV_MAP_SWITCH,           /* the one of `choices` that belongs to the value of `text` */
};
enum rv_map_hash { RV_MAP_XXH3, RV_MAP_SHA1, RV_MAP_CRC32C, RV_MAP_FNV1A };
enum rv_map_as { RV_MAP_AS_IS, RV_MAP_AS_STRING, RV_MAP_AS_NUMBER };
enum rv_map_time { RV_MAP_TIME_MS, RV_MAP_TIME_S, RV_MAP_TIME_RFC3339 };

struct rv_map_field {
	char *name;
	enum rv_map_from from;
	enum rv_map_as as;
	struct rv_map_text text;
	char *literal;
	size_t column;
	uint8_t name_space[RV_UUID_BYTES];
	enum rv_map_hash hash;
	enum rv_map_time time;           /* NOW */
	struct rv_string_list cases, choices; /* SWITCH: of the same length */
	size_t lookup, lookup_column;    /* of lookups, and of its columns */
	char *empty;                     /* Optional: instead of an empty value */
	char *absent;                    /* Optional: LOOKUP, no such key; SWITCH, no such case */
	bool omit_empty;                 /* an empty value leaves the field out */
	uint64_t kinds;                  /* a bit a kind; 0: of all */
	uint64_t line, line_column;      /* of its name in the file */
};
struct rv_map_condition {
	size_t column;
	struct rv_string_list values;
};
struct rv_map_kind {
	char *name;
	struct rv_map_condition *conditions;
	size_t conditions_count;
};
struct rv_map_lookup {
	char *name;
	char *file;                      /* relative to `folder` of the map */
	char *key;                       /* column of the second file */
	size_t by;                       /* column of the row */
	struct rv_string_list columns;   /* of the second file, those that are used */
};

struct rv_map {
	char *file;                      /* as it was named, for messages */
	enum rv_format format;
	struct rv_csv_dialect csv;       /* owned */
	bool csv_given;
	struct rv_string_list columns;   /* of the rows, those that are used */
	size_t session;                  /* column; NONE */
	size_t time;                     /* column; NONE */
	enum rv_map_time time_as;
	struct rv_map_lookup *lookups;
	size_t lookups_count;
	struct rv_map_kind *kinds;       /* none: all rows are of the kind "event" */
	size_t kinds_count;
	bool skip_others;
	struct rv_map_field *fields;     /* none: a row as it is */
	size_t fields_count;
};

/* RV_NOT_FOUND: there is no such file. */
enum rv_status rv_map_read(const char *file, struct rv_map *ret, struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_map_parse(const char *file, const char *text, size_t len, struct rv_map *ret,
			    struct rv_error *err) RV_MUST_CHECK;
/* The map of rows that are sent as they are. */
void rv_map_init(struct rv_map *map);
void rv_map_release(struct rv_map *map); /* takes a zeroed one too */

/* The map of the data set that Coveo published for its data challenge: browsing_train.csv with
 * sku_to_content.csv beside it. */
extern const char rv_map_coveo[];
#define RV_MAP_COVEO_FILE "browsing_train.csv"

/* A number as JSON writes one. */
bool rv_map_is_number(const char *p, size_t len);

#endif
