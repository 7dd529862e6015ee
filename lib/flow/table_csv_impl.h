/* Shared by the files of table_csv.h, and its tests; nobody else includes this. */
#ifndef RV_FLOW_TABLE_CSV_IMPL_H
#define RV_FLOW_TABLE_CSV_IMPL_H

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/strbuf.h"
#include "flow/table_csv.h"
#include "flow/table_trailer.h"
#include "format/csv_index.h"
#include "format/recode.h"

/* Bytes behind the end of the window that may be read. */
enum { RV_TABLE_SLACK = RV_CSV_INDEX_SLACK };

/* A field as it stands in the window, without its quotes. */
struct rv_table_field {
	const char *p;
	size_t len;
	bool quoted;
	bool doubled;      /* holds quotes or escapes that stand for others */
	bool escape;       /* of the bytes that JSON escapes */
};
/* Bytes that end what is passed over: three, and '\n', and '\r' too. */
struct rv_table_stops {
#ifdef __SSE2__
	__m128i all[3];
#endif
	char bytes[3];
	bool cr;
};
struct rv_table_reader {
	const struct rv_job_table *table;
	const char *label;
	uint64_t max_row_bytes;
	struct rv_source *source;
	const struct rv_table_sink *sink;
	struct rv_table_counts *counts;
	struct rv_recode recode;
	struct rv_strbuf raw;      /* bytes that are not recoded yet */

	char *window;              /* SLACK bytes behind `end` may be read */
	size_t pos, end, size;
	bool eof;
	uint64_t base;             /* offset of window[0] in the text */
	uint64_t line;             /* of window[pos] */

	struct rv_table_field *fields; /* of the row at pos */
	size_t fields_count, fields_room;
	size_t width;              /* fields of the header, 0 before it */
	size_t *from;              /* of each column of the table, its field */
	char *header;              /* its bytes, to notice it again */
	size_t header_len;

	char delimiter, quote, escape;
	struct rv_table_stops plain, quoted;
	size_t null_max;           /* length of the longest null token */
	bool null_is_empty;        /* it is the only one */
	bool cr_ends, lf_ends, crlf_ends; /* which line ends there are */
	struct rv_strbuf row, text;
	struct rv_table_trailer trailer;
	bool started;

	rv_csv_index_make *make_index; /* NULL: no index is made */
	struct rv_csv_index *index;    /* of what starts at window[index_at] */
	size_t index_at, index_row;    /* the next one of its rows */
	size_t index_bytes;            /* to be looked at the next time */
};

/* ---- table_csv_cut.c: a row into fields, byte by byte ---- */

enum rv_table_cut_ended { RV_TABLE_CUT_ROW, RV_TABLE_CUT_MORE, RV_TABLE_CUT_BAD };
struct rv_table_cut {
	size_t len;            /* with its line end */
	size_t content;        /* without */
	uint64_t newlines;
	bool high;
	const char *code;      /* BAD, or a ROW that is not right */
	size_t at;             /* where it is not */
	size_t quote_at;       /* MORE: an open quote; SIZE_MAX: none */
};

void rv_table_set_stops(struct rv_table_stops *s, char a, char b, char c, bool cr);
/* Cuts the row at pos. */
enum rv_table_cut_ended rv_table_cut_row(struct rv_table_reader *r, struct rv_table_cut *ret);
/* The text of a field: itself, or without doubled quotes and escapes, in r->text. */
struct rv_str rv_table_text_of(struct rv_table_reader *r, const struct rv_table_field *f);

/* Length of the line end at p; 0: none; SIZE_MAX: it takes another byte to tell. */
static inline size_t rv_table_line_end(const struct rv_table_reader *r, const char *p, const char *end)
{
	if (*p == '\n')
		return r->lf_ends ? 1 : 0;
	if (*p != '\r')
		return 0;
	if (r->cr_ends)
		return 1;
	if (!r->crlf_ends)
		return 0;
	if (end - p < 2)
		return r->eof ? 1 : SIZE_MAX;
	return p[1] == '\n' ? 2 : 0;
}

/* As rv_table_csv_read, by one way of finding fields; NULL: without an index. */
enum rv_status rv_table_csv_read_by(rv_csv_index_make *make_index, const struct rv_job_table *table,
				    uint64_t max_row_bytes, struct rv_source *source,
				    const struct rv_table_sink *sink, struct rv_table_counts *ret,
				    struct rv_error *err) RV_MUST_CHECK;

#endif
