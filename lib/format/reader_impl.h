/*
 * Inside of the reader: the window on the input, the span being built, the reject being handed out.
 * Shared by reader.c and the formats; nobody else includes this.
 *
 * A format is one function, `step`. It looks at the window from `pos` on, moves `pos` over what it
 * has understood, adds records to the span being built, and says how it ended. It must come to the
 * same spans however many bytes the window holds: a decision is made only when the bytes that
 * could change it are there, or are known not to come.
 */
#ifndef RV_FORMAT_READER_IMPL_H
#define RV_FORMAT_READER_IMPL_H

#include <string.h>

#include "format/json_scan.h"
#include "format/reader.h"
#include "format/record_hash.h"

enum {
	RV_READ_BYTES = 256 << 10,       /* one read: stays in the second-level cache */
	RV_SPAN_BYTES = 256 << 10,       /* a span is closed when it has so many */
	RV_DIRECT_BYTES = 64 << 10,      /* a direct run so long is not copied for an odd line */
	RV_PIECE_BYTES = (1 << 20) - 1,  /* a multiple of 3: pieces can be encoded one by one */
	RV_WINDOW_SLACK = 64,            /* readable bytes behind the window's end, for vectors */
	RV_DETECT_BYTES = 1 << 20,
	RV_REASON_BYTES = 256,
};

enum rv_step {
	RV_STEP_FULL,   /* the span being built is as long as it may be */
	RV_STEP_NEED,   /* more bytes are needed, or there are none */
	RV_STEP_REJECT, /* rd->reject says what; rd->pos stands on its first byte */
	RV_STEP_FAILED, /* err says why */
};

/* How the end of a rejected region is found. */
enum rv_resync {
	RV_RESYNC_KNOWN,      /* it is reject.end */
	RV_RESYNC_LINE,       /* behind the next newline */
	RV_RESYNC_JSON_LINE,  /* the next '{' in column 0 */
};

struct rv_reader;
typedef enum rv_step rv_step_fn(struct rv_reader *rd, const struct rv_reader_limits *limits,
				struct rv_error *err);

struct rv_csv_column;

struct rv_reader {
	struct rv_source *source;
	enum rv_format format;
	rv_step_fn *step;
	uint64_t max_record_bytes;
	unsigned max_depth;
	bool refuse_river_key;

	/* The window: input bytes base .. base + end, `pos` is where the parsing stands. */
	char *buf;
	size_t pos, end, capacity;
	uint64_t base;
	uint64_t line;       /* at pos */
	bool eof;            /* the source has ended */
	bool finished;       /* rv_reader_finish() was called */
	bool is_extent;      /* the source's end is not the input's */
	bool bom_done;
	bool is_log;         /* by its name */
	size_t want;         /* trying again is not worth it before so many bytes from pos on */
	uint64_t searched;   /* there is no line end from pos up to this input offset */
	uint64_t judged;     /* ndjson: the line is known to be whole objects up to here */

	/* Where the next span starts: the state as it was handed out last. */
	uint64_t from, from_line;
	unsigned from_state;

	/* The span being built: a run inside the window, or put together in `side`. */
	const char *run;     /* NULL: none or side */
	size_t run_len;
	struct rv_strbuf side;
	bool use_side;
	uint64_t records, set_hash, record_bytes, span_line;
	bool span_large;
	/* Behind the last record of it; pos may have skipped blanks since. */
	uint64_t mark, mark_line;
	unsigned mark_state;

	struct {
		bool active, first;
		enum rv_resync resync;
		uint64_t end;        /* input offset; RESYNC_KNOWN */
		uint64_t searched;   /* the search for the end goes on here */
		uint64_t fault;
		char reason[RV_REASON_BYTES];
		const char *code;
	} reject;

	/* json */
	unsigned state;

	/* csv */
	struct rv_csv_dialect dialect;  /* deep copy */
	bool delimiter_by_name;         /* it is not the default, and nobody chose it */
	struct rv_csv_column *columns;
	size_t columns_count;
	char *csv_header;
};

static inline uint64_t rv_reader_at(const struct rv_reader *rd, size_t i)
{
	return rd->base + i;
}

/* The most bytes of a record a scan looks at: one more than allowed tells too long from long. */
static inline size_t rv_scan_len(const struct rv_reader *rd, size_t i)
{
	size_t len = rd->end - i;

	return len > rd->max_record_bytes ? (size_t)rd->max_record_bytes + 1 : len;
}

static inline size_t rv_span_len(const struct rv_reader *rd)
{
	return rd->use_side ? rd->side.len : rd->run_len;
}

/* The last record may have reached a limit. */
static inline bool rv_span_full(const struct rv_reader *rd, const struct rv_reader_limits *limits)
{
	return (limits->max_records && rd->records >= limits->max_records) ||
	       (limits->max_bytes && rd->record_bytes >= limits->max_bytes) ||
	       rv_span_len(rd) >= RV_SPAN_BYTES;
}

/* A record of so many bytes does not go with those in the span: it is to come again, first in the
 * next one. */
static inline bool rv_span_other_size(struct rv_reader *rd, const struct rv_reader_limits *limits,
				      size_t len)
{
	bool large = limits->large_bytes && len > limits->large_bytes;

	if (!rd->records)
		rd->span_large = large;
	return large != rd->span_large;
}

static inline void rv_span_count(struct rv_reader *rd, const char *p, size_t len)
{
	rd->set_hash += rv_record_hash(p, len);
	rd->record_bytes += len;
	rd->records++;
}

/* The record added last ends here, with all that belongs to it. */
static inline void rv_span_mark(struct rv_reader *rd)
{
	rd->mark = rv_reader_at(rd, rd->pos);
	rd->mark_line = rd->line;
	rd->mark_state = rd->state;
}

/* Adds the valid record p[0..len) of the window. `in_place`: a '\n' follows it there. `blank`: it
 * has line ends between tokens, which become spaces; then it is not in place. */
void rv_span_add(struct rv_reader *rd, const char *p, size_t len, bool in_place, bool blank);
/* Room for `extra` more bytes in the side buffer; the span is put together there from now on. */
void rv_span_to_side(struct rv_reader *rd);

/* Marks the region that starts at rd->pos as rejected; `fault` is an input offset. */
enum rv_step rv_reject(struct rv_reader *rd, enum rv_resync resync, uint64_t end, uint64_t fault,
		       const char *code, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
/* The same for what rv_json_scan_object() found in the object at window index `at`. */
enum rv_step rv_reject_json(struct rv_reader *rd, enum rv_resync resync, uint64_t end, size_t at,
			    const struct rv_json_scan *scan);
enum rv_step rv_reject_too_long(struct rv_reader *rd, enum rv_resync resync, size_t at);
enum rv_step rv_reject_river_key(struct rv_reader *rd, enum rv_resync resync, uint64_t end,
				 size_t at);

rv_step_fn rv_ndjson_step, rv_json_step, rv_csv_step, rv_text_step, rv_detect_step;

/* csv: copies the dialect and, when going on, the header. */
enum rv_status rv_csv_setup(struct rv_reader *rd, const struct rv_reader_params *params,
			    struct rv_error *err) RV_MUST_CHECK;
void rv_csv_release(struct rv_reader *rd);
/* What the name says: CSV or TEXT, else AUTO. "*.tsv" also sets the delimiter, unless it is NULL.
 * *ret_log: it is a "*.log", which may be either. */
enum rv_format rv_format_by_name(const char *name, char *delimiter, bool *ret_log);

#endif
