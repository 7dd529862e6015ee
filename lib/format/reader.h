/*
 * A reader turns the bytes of a source into records in lake form: one JSON object a line.
 *
 * It hands out spans: runs of whole records, each followed by one '\n', in input order, ready to
 * be compressed; or one piece of a rejected line; or the news that it must wait or is at the end.
 * Records are validated and hashed here (set hash: XXH3-64, seed 0, of each record without its
 * newline, summed modulo 2^64; semantics 2.6). The bytes of a span live until the next call.
 *
 * Spans depend only on the input and the limits asked for, never on how the source cut its reads,
 * when `max_records` or `max_bytes` cut them: a batch is the same batch when it is read again.
 *
 * Rules of the formats: design.md 4 and semantics.md 3, `river help formats`.
 *  ndjson  a line holds one or more whole objects (also with nothing between them) and never
 *          continues onto the next. One bad object makes the whole line a reject.
 *          A line longer than max_record_bytes is taken object by object instead.
 *  json    an array of objects, or objects over several lines; after an error reading resumes at
 *          the next line that has '{' in column 0, not before the fault. An element of an array
 *          that is whole but no object costs only itself. Newlines between tokens become spaces.
 *          An array that is never closed is a reject of no bytes, after rv_reader_finish().
 *  csv     RFC 4180 with the dialect given; the first row is the header unless no_header is set;
 *          a row becomes an object of strings, keys in column order; ragged rows are rejects. A
 *          quote not closed within max_record_bytes costs the lines up to the one it was opened
 *          in. A header without names for all its columns, or with one twice, is RV_BAD_DATA; so is
 *          one that looks like JSON, like Excel's "sep=;", or like one column with ';', tab or '|'.
 *  text    a line becomes {"text":"..."}; invalid UTF-8 is a reject; CR before LF is dropped.
 * Archives, databases and the like, by how they begin, are RV_BAD_DATA in every format, as UTF-16 is.
 * A UTF-8 byte order mark is dropped at offset 0 only. Blank lines are skipped and not counted.
 */
#ifndef RV_FORMAT_READER_H
#define RV_FORMAT_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "source/source.h"

enum rv_format { RV_FORMAT_AUTO, RV_FORMAT_NDJSON, RV_FORMAT_JSON, RV_FORMAT_CSV, RV_FORMAT_TEXT };
const char *rv_format_name(enum rv_format format);
bool rv_format_parse(const char *name, enum rv_format *ret);

struct rv_csv_dialect {
	char delimiter;           /* default ',' */
	bool delimiter_given;     /* asked for, so that no file's name says otherwise; any but ',' is */
	char quote;               /* default '"'; 0: none */
	bool no_header;           /* columns are then c1, c2, ... unless names are given */
	char **names;             /* Optional: column names, instead of or over the header */
	size_t names_count;
	char **nulls;             /* Optional: unquoted fields equal to one of these become null */
	size_t nulls_count;
};
#define RV_CSV_DIALECT_INIT { .delimiter = ',', .quote = '"' }

enum rv_span_kind {
	RV_SPAN_RECORDS,
	RV_SPAN_REJECT,  /* one piece of a rejected line or region */
	RV_SPAN_WAIT,    /* timeout or signal; ask again */
	RV_SPAN_END,     /* end of the source; an unterminated rest may be pending, see below;
			  * from..to holds blanks that came last */
};
struct rv_span {
	enum rv_span_kind kind;
	const char *bytes;       /* RECORDS: records with newlines; REJECT: the original bytes */
	size_t len;
	uint64_t records;        /* RECORDS: how many */
	uint64_t set_hash;       /* RECORDS: sum of their hashes */
	uint64_t record_bytes;   /* RECORDS: bytes without the newlines */
	bool large;              /* RECORDS: longer ones than limits.large_bytes */
	/* Extent of the (decompressed) input this span covers. Each span starts where the one before
	 * ended: blank lines, a header, an array's punctuation belong to the span that follows them.
	 * A reject's bytes are the last `len` of its extent, line end included. */
	uint64_t from, to;
	uint64_t line;           /* line of the first byte of `bytes`, from 1 */
	/* REJECT only. A reject larger than 1 MiB comes in pieces whose lengths are multiples of 3,
	 * `more` set on all but the last. */
	bool more;               /* an offset inside of a reject is none to go on from */
	bool first;              /* first piece */
	const char *reason;      /* "a lone surrogate escape"; lives until the next call */
	const char *reason_code; /* "lone_surrogate": stable, for programs */
	uint64_t fault_offset;   /* offset of the fault in the input */
	enum rv_format format;   /* it was read as this; never AUTO from a reader */
	const char *csv_header;  /* csv: as rv_reader_csv_header() gives it, and the dialect; */
	const struct rv_csv_dialect *csv; /* NULL otherwise; both live until the next call */
};

/* The last piece of a reject that has bytes. Without any it says that an array is not closed, which may be so for a
 * while only, and is nothing that the input holds. */
static inline bool rv_span_is_rejected(const struct rv_span *span)
{
	return span->kind == RV_SPAN_REJECT && !span->more && span->len > 0;
}

struct rv_reader_limits {
	uint64_t max_records;    /* at most so many records in the span; 0: no limit */
	uint64_t max_bytes;      /* the span ends with the record that reaches so many record bytes */
	/* A span holds records up to so many bytes, or larger ones, but not both; 0: no limit. */
	uint64_t large_bytes;
	int64_t timeout_ms;      /* -1: wait for ever */
};

struct rv_reader_params {
	/* AUTO: detected from `name` and the first MiB (design.md 4), as soon as it is certain. A first
	 * object that ends on a later line is json, also when one of its lines stands alone. */
	enum rv_format format;
	/* Optional: file name, a hint for detection: .csv and .tsv (tabs, unless `csv` has a
	 * delimiter that was asked for), .txt, and .log when it does not begin as JSON does; also before
	 * what rotation adds (.1, -20261129) and .gz, .zst, .bz2, .xz. */
	const char *name;
	const struct rv_csv_dialect *csv; /* Optional */
	uint64_t max_record_bytes;        /* default 16 MiB; longer records are rejects, in pieces */
	unsigned max_depth;               /* default 1024 */
	bool refuse_river_key;   /* a record with a top-level "_river" is a reject (stamped streams) */
	/* To go on from a checkpoint: the source stands at `offset` already. */
	uint64_t offset;
	uint64_t line;           /* line number of that offset; 0 means 1 */
	const char *csv_header;  /* header row as rv_reader_csv_header() gave it; required for csv
				  * when offset > 0 */
	/* csv: what rv_reader_csv_delimiter() said there, which a file keeps under another name, too; 0: not
	 * known. What `csv` asks for goes before. */
	char csv_delimiter;
	/* json only: what rv_reader_in_array() said there. */
	unsigned in_array;
	/* The source ends where a span once ended, to be read again. All of it is handed out without
	 * rv_reader_finish(): what looks unfinished now was judged by the bytes behind it then. */
	bool is_extent;
};

struct rv_reader;
/* `source` is borrowed and must outlive the reader. Nothing is read yet. */
enum rv_status rv_reader_new(struct rv_source *source, const struct rv_reader_params *params,
			     struct rv_reader **ret, struct rv_error *err) RV_MUST_CHECK;
void rv_reader_free(struct rv_reader *reader);
void rv_reader_free_p(struct rv_reader **reader);

enum rv_status rv_reader_next(struct rv_reader *reader, const struct rv_reader_limits *limits,
			      struct rv_span *ret, struct rv_error *err) RV_MUST_CHECK;

/* AUTO until the bytes that decide have been read: certain after the first span that is not WAIT. */
enum rv_format rv_reader_format(const struct rv_reader *reader);
/* csv: the header's column names as one CSV row, for a checkpoint; NULL before the header. */
const char *rv_reader_csv_header(const struct rv_reader *reader);
/* csv: what stands between fields, by the dialect or the name. */
char rv_reader_csv_delimiter(const struct rv_reader *reader);
/* The names in such a row; the caller frees them and the list. False: it is no such row. */
bool rv_csv_header_names(const char *header, char ***ret, size_t *ret_count);
/* Whether they are those that a dialect asks for, by `names` or by `no_header`; one that asks for none is content. */
bool rv_csv_header_suits(const char *header, const struct rv_csv_dialect *dialect);
/* json: where the grammar stands at rv_reader_offset(): 0 outside of the top-level array; other
 * values are the reader's own, to be kept with the offset and given back. */
unsigned rv_reader_in_array(const struct rv_reader *reader);
/* Where the next span will start, and the line there: all before has been handed out. May lie inside
 * of an ndjson line that holds several objects. */
uint64_t rv_reader_offset(const struct rv_reader *reader);
uint64_t rv_reader_line(const struct rv_reader *reader);

/*
 * After RV_SPAN_END: bytes behind the last line end that are not handed out: an ndjson line without
 * newline that is no whole object, any csv or text row without newline, an unfinished json object.
 * (An unterminated ndjson line that is one or more whole objects was handed out before END.)
 * *ret_len = 0 when there are none. The caller decides: leave them for later (a file still being
 * written), or rv_reader_finish() to have them handed out as records or as a reject, then END.
 */
void rv_reader_pending(const struct rv_reader *reader, uint64_t *ret_offset, uint64_t *ret_len);
void rv_reader_finish(struct rv_reader *reader);

#endif
