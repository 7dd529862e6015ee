/*
 * A stream's definition: what `river stream create` declares and the catalog keeps
 * (design.md 7 shows the YAML). Shapes only; definition.h parses and prints, catalog.h stores.
 */
#ifndef RV_CONFIG_STREAM_H
#define RV_CONFIG_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/ulid.h"
#include "format/reader.h"

#define RV_BUSINESS_MAX 24
#define RV_STREAM_NAME_MAX 32
/* "business/name" with its end */
#define RV_STREAM_TEXT (RV_BUSINESS_MAX + 1 + RV_STREAM_NAME_MAX + 1)

enum rv_column_type {
	RV_COLUMN_STRING,
	RV_COLUMN_INTEGER,   /* 64 bit */
	RV_COLUMN_DECIMAL,   /* exact, precision 1..38, scale 0..precision */
	RV_COLUMN_DOUBLE,
	RV_COLUMN_BOOLEAN,
	RV_COLUMN_DATE,
	RV_COLUMN_TIMESTAMP, /* stored in UTC */
	RV_COLUMN_JSON,      /* the value's own bytes */
};
struct rv_column {
	char *name;               /* [a-z_][a-z0-9_]{0,62} */
	enum rv_column_type type;
	unsigned precision, scale;
	bool required;            /* absent or null refuses the record */
	bool exact;               /* a double that the text is not found again from is refused */
	char *from;               /* dotted path or JSON Pointer; default: the name */
	char *format;             /* Optional, date and timestamp: strptime-like, or epoch_s, _ms, _us */
	char *timezone;           /* Optional: "UTC" or "+02:00" for times without a zone */
	uint64_t line;            /* in the definition file, 0 when from flags */
};

enum rv_dedup {
	RV_DEDUP_DEFAULT,         /* with a key: key + content; stamped: the stamp; else none */
	RV_DEDUP_NONE,
	RV_DEDUP_CONTENT,
	RV_DEDUP_COLUMNS,
};
enum rv_stamp { RV_STAMP_NONE, RV_STAMP_ID, RV_STAMP_FULL };
enum rv_output_compression { RV_OUTPUT_ZSTD, RV_OUTPUT_GZIP, RV_OUTPUT_GZIP_SMALL, RV_OUTPUT_NONE };
enum { RV_LAYER_RAW = 1, RV_LAYER_CLEAN = 2, RV_LAYER_LATEST = 4 };
enum rv_contract { RV_CONTRACT_EVOLVE, RV_CONTRACT_REJECT };

struct rv_string_list {
	char **items;
	size_t count;
};

struct rv_stream {
	char business[RV_BUSINESS_MAX + 1];
	char name[RV_STREAM_NAME_MAX + 1];
	char id[RV_ULID_TEXT];            /* "" until created */
	int64_t created_ms;               /* 0 until created */
	char nonce[RV_ULID_TEXT];         /* of the create that made it; tells own puts from others' */
	/* "" or a folder "dt=2026-11-20/hr=14": objects in earlier folders belong to a former stream
	 * of that name (create --fresh) and are not this one's. Pass rv_stream_since as `after`. */
	char since[24];
	enum rv_format format;            /* AUTO: each push detects */
	struct rv_csv_dialect csv;
	struct rv_string_list key;
	char *order_by;                   /* Optional */
	enum rv_dedup dedup;
	struct rv_string_list dedup_columns;
	char *delete_column, *delete_equals; /* Optional, both or none; equals as text */
	unsigned layers;
	struct rv_column *columns;
	size_t columns_count;
	enum rv_contract contract;
	struct rv_string_list cluster_by;
	struct rv_string_list grants_read, grants_push, grants_admin;
	struct rv_string_list mask;
	char *retention_warehouse;        /* Optional: "3 months" */
	int64_t monitor_freshness_ms;     /* default 15 minutes */
	uint64_t batch_bytes;             /* compressed size a batch closes at; default 64 MiB */
	uint64_t batch_records;           /* 0: no limit */
	int64_t batch_age_ms;             /* default 60 s; pipes only */
	enum rv_output_compression compression; /* default zstd */
	enum rv_stamp stamp;
	bool stamp_given;                 /* said in the definition; else it is up to the delivery */
	bool pipe_notify;                 /* pipe: notify; default auto */
};

/* "business/name" or plain "name" (business main); fills business and name of an initialised
 * stream. RV_USAGE with what the grammar is, when wrong; the reserved businesses and name endings
 * of design.md 7 are refused too. */
enum rv_status rv_stream_parse_name(const char *text, struct rv_stream *ret,
				    struct rv_error *err) RV_MUST_CHECK;
/* "business/name" into buf of RV_STREAM_TEXT bytes; returns buf. */
const char *rv_stream_text(const struct rv_stream *stream, char *buf);
void rv_stream_init(struct rv_stream *stream);      /* all defaults; layers raw */
void rv_stream_release(struct rv_stream *stream);   /* may be initialised and used again */
void rv_stream_release_p(struct rv_stream *stream); /* for RV_CLEANUP */

/*
 * What a stream is called elsewhere. Names hold no '-', no '/' and no upper case, so each of these
 * is one-to-one; tests hold golden copies. All return `buf`.
 */
#define RV_STREAM_PLACE_MAX 128
/* "_river/streams/web/clicks.json" */
const char *rv_stream_catalog_name(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX]);
/* "data/web/clicks/" */
const char *rv_stream_data_prefix(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX]);
/* What to list data objects after: "data/web/clicks/dt=2026-11-20/hr=14", or "" without `since`. */
const char *rv_stream_since(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX]);
/* The folder of a run that begins then, of this host's clock: "dt=2026-11-20/hr=14". A stream does not see what
 * lies before its `since`, and clocks differ between hosts: no run of it may begin there. */
const char *rv_stream_run_folder(const struct rv_stream *stream, int64_t ms, char buf[RV_TIME_TEXT]);
enum rv_table { RV_TABLE_RAW, RV_TABLE_CLEAN, RV_TABLE_LATEST, RV_TABLE_REFUSED };
/* "web.clicks", "web.clicks_clean": unquoted, for messages; the schema is the business. */
const char *rv_stream_table(const struct rv_stream *stream, enum rv_table table,
			    char buf[RV_STREAM_PLACE_MAX]);
/* "river-web-clicks", at most 63 of the 64 characters Firehose allows */
const char *rv_stream_firehose(const struct rv_stream *stream, char buf[RV_STREAM_PLACE_MAX]);

const struct rv_column *rv_stream_column(const struct rv_stream *stream, const char *name);
void rv_string_list_add(struct rv_string_list *list, const char *item, size_t len);
bool rv_string_list_has(const struct rv_string_list *list, const char *item);
void rv_string_list_release(struct rv_string_list *list);

#endif
