/*
 * A job file: what extract-load does with extracts of one kind. Which archives, which of their members
 * are which tables, what is kept of them and how it is written, where the rows go, and which documents
 * are composed of them. The file is read whole and checked whole: what is wrong in it is RV_BAD_CONFIG
 * with line and column, before an archive is looked at.
 *
 *   job: orders                     # default: the file's name; names ledger and lock
 *   profile: prod
 *   source: { path: "s3://drop/ext-*.zip", order: name }
 *   dialect: { delimiter: ",", quote: '"', header: true, encoding: utf-8, null: ["", "\\N"], timezone: UTC }
 *   tables:
 *     orders:
 *       member: "ORDERS_*.csv"
 *       key: [order_id]
 *       mode: merge
 *       delete_when: { column: op, equals: D }
 *       columns: { order_id: string, placed: { type: timestamp, format: "%d.%m.%Y %H:%M" }, total: "decimal(18,2)" }
 *   loads: { orders: { to: table dw.orders, format: ndjson } }
 *   documents:
 *     order:
 *       root: orders
 *       scope: extract
 *       complete: true
 *       target: { dynamodb: orders, ttl: { attribute: expires_at, from: placed, after: 9 months } }
 *       nest: { lines: { table: lines, on: [order_id], many: true, order_by: [line_no] } }
 *   limits: { max_rejects: 0, max_bytes: 200GiB, max_ratio: 200 }
 *   deadline: 1h
 *
 * Arguments are borrowed for the call; the job owns what it points to.
 */
#ifndef RV_CONFIG_JOB_H
#define RV_CONFIG_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"
#include "format/recode.h"

#define RV_JOB_NAME_MAX 63
#define RV_JOB_TABLES_MAX 1000

/* How the rows of a member are written. It is declared, never guessed. */
enum rv_job_line_end { RV_LINE_END_ANY /* LF or CRLF */, RV_LINE_END_LF, RV_LINE_END_CRLF, RV_LINE_END_CR };
struct rv_job_dialect {
	char delimiter;
	char quote;                      /* 0: none */
	char escape;                     /* 0: quotes are doubled; else what stands before any byte */
	bool header;                     /* the first row has the names */
	enum rv_encoding encoding;
	enum rv_job_line_end line_end;
	struct rv_string_list names;     /* of a member without header */
	struct rv_string_list nulls;     /* unquoted fields that are null; default: "" alone */
	char *timezone;                  /* of times without a zone; NULL: they are refused */
	char *trailer;                   /* the last row, "T|{count}" (format/number_pattern.h); NULL: none */
	bool trailer_counts_all;         /* header and trailer as well */
};

enum rv_job_mode { RV_JOB_APPEND, RV_JOB_MERGE };
struct rv_job_table {
	char *name;
	char *member;                    /* glob, matched to the whole name, and to what follows its last / */
	struct rv_job_dialect dialect;   /* the job's, where the table says nothing else */
	struct rv_string_list key;
	enum rv_job_mode mode;
	bool mode_said;                  /* else it follows from the key where documents keep the table */
	char *delete_column, *delete_equals; /* Optional, both or none; merge */
	bool optional;                   /* an extract without it is fine */
	/* `from` is the name in the header (NULL: the same, whatever its case); timezones are filled in. */
	struct rv_column *columns;
	size_t columns_count;
	uint64_t line, column;           /* of its name in the file */
};

enum rv_job_format { RV_JOB_NDJSON, RV_JOB_CSV, RV_JOB_PARQUET };
/* What packs the pages inside a Parquet file, which is not packed as a whole. */
enum rv_job_pages { RV_JOB_PAGES_ZSTD, RV_JOB_PAGES_SNAPPY, RV_JOB_PAGES_GZIP, RV_JOB_PAGES_NONE };
enum rv_job_to { RV_JOB_TO_LAKE, RV_JOB_TO_TABLE, RV_JOB_TO_STREAM };
struct rv_job_load {
	size_t table;                    /* index into tables */
	enum rv_job_to to;
	char *schema, *name;             /* TABLE: dw, orders; STREAM: schema is NULL, name "dw/orders" */
	enum rv_job_format format;
	enum rv_output_compression compression;
	enum rv_job_pages pages;         /* of PARQUET, instead of `compression` */
	bool kept;                       /* TABLE, which the job does not name: documents are made of it */
	uint64_t line, column;
};

enum rv_job_unit { RV_JOB_DAYS, RV_JOB_WEEKS, RV_JOB_MONTHS, RV_JOB_YEARS };
struct rv_job_on {
	char *child, *parent;            /* column of the nested table = column of the one around it */
};
struct rv_job_order {
	char *column;
	bool descending;
};
struct rv_job_nest {
	char *field;                     /* of the document */
	size_t table;
	struct rv_job_on *on;
	size_t on_count;
	bool many;                       /* a list; else one object, or null */
	bool touch;                      /* a changed row changes the documents it is in */
	struct rv_job_order *order_by;
	size_t order_by_count;
	struct rv_job_nest *nests;
	size_t nests_count;
	uint64_t line, column;
};
enum rv_job_scope { RV_JOB_SCOPE_EXTRACT, RV_JOB_SCOPE_HISTORY };
struct rv_job_document {
	char *name;
	size_t root;
	enum rv_job_scope scope;
	bool complete;                   /* an extract holds whole documents: EXTRACT needs it */
	char *dynamodb;                  /* table; NULL: NDJSON in the lake */
	bool exclusive;                  /* nobody else writes into it */
	bool create;                     /* make the table where there is none */
	char *ttl_attribute;             /* Optional, with the next three */
	char *ttl_from;                  /* column of the root; NULL: the extract's time */
	unsigned ttl_count;
	enum rv_job_unit ttl_unit;
	struct rv_job_nest *nests;
	size_t nests_count;
	enum rv_output_compression compression; /* of NDJSON */
	uint64_t line, column;
};

enum rv_job_source_order { RV_JOB_ORDER_NAME, RV_JOB_ORDER_TIME, RV_JOB_ORDER_NUMBER };
struct rv_job {
	char *file;                      /* as it was named, for messages */
	char *name;
	char *profile;                   /* Optional */
	char *source;                    /* Optional: file, folder, glob or s3:// prefix, absolute */
	enum rv_job_source_order source_order;
	char *sequence;                  /* Optional: file names with numbers that follow each other, "ext-{number}.zip" */
	bool gaps;                       /* extracts behind a missing number are taken */
	struct rv_job_table *tables;
	size_t tables_count;
	struct rv_job_load *loads;
	size_t loads_count;
	struct rv_job_document *documents;
	size_t documents_count;
	uint64_t max_rejects;            /* default 0 */
	uint64_t max_bytes, max_ratio, max_entries; /* 0: the default of the reader of archives */
	uint64_t max_row_bytes;          /* default 16 MiB */
	int64_t deadline_ms;             /* 0: none */
};

/* `file` is read; a relative `source.path` is below its folder. RV_NOT_FOUND: there is none. */
enum rv_status rv_job_read(const char *file, struct rv_job *ret, struct rv_error *err) RV_MUST_CHECK;
/* The same from its text. `ret` is zeroed or not touched by what fails. */
enum rv_status rv_job_parse(const char *file, const char *text, size_t len, struct rv_job *ret,
			    struct rv_error *err) RV_MUST_CHECK;
void rv_job_release(struct rv_job *job); /* takes a zeroed one too */
void rv_job_dialect_release(struct rv_job_dialect *dialect);

const struct rv_job_table *rv_job_table(const struct rv_job *job, const char *name);
const struct rv_column *rv_job_column(const struct rv_job_table *table, const char *name);
/* Whether a load of it is Parquet, which the embedded engine writes. */
bool rv_job_has_parquet(const struct rv_job *job);
/* Whether a member's name is matched by a table's glob. */
bool rv_job_member_is(const struct rv_job_table *table, const char *member);
/* What a run does, in sentences, a line each. Appends. */
void rv_job_explain(const struct rv_job *job, struct rv_strbuf *sb);

#endif
