/*
 * Cutting one CSV row (RFC 4180, any one-byte delimiter and quote) into fields that are already
 * escaped for JSON. Used for rows and headers alike; knows nothing of records or windows.
 */
#ifndef RV_FORMAT_CSV_H
#define RV_FORMAT_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

/* What stands in front of a field's value in the output: "{\"a\":" or ",\"b\":". */
struct rv_csv_column {
	char *prefix;
	size_t len;
};

struct rv_csv_rules {
	char delimiter, quote;             /* quote 0: none */
	const struct rv_csv_column *columns;
	size_t columns_count;              /* fields behind these are counted, not written */
	char *const *nulls;                /* unquoted fields equal to one become null */
	size_t nulls_count;
};

enum rv_csv_end {
	RV_CSV_ROW,
	RV_CSV_MORE,         /* the bytes end inside of the row */
	RV_CSV_MORE_QUOTED,  /* the bytes end inside of a quoted field */
};

struct rv_csv_row {
	size_t len;             /* ROW: with its line end */
	size_t fields;
	uint64_t newlines;      /* '\n' in it, the line end included */
	bool high;              /* a byte with the top bit: check that it is UTF-8 */
	size_t quote_at;        /* MORE_QUOTED: the opening quote */
	uint64_t quote_line;    /* MORE_QUOTED: newlines before it */
	size_t junk_at;         /* ROW: first byte between a closing quote and the delimiter... */
	bool junk;              /* ...if there is one */
	bool lone_cr;           /* an unquoted CR without LF */
};

/*
 * Reads the row at p[0..len); `final`: nothing comes behind it, so its end is a line end. Appends the
 * columns with their prefixes to `out` (not the closing brace; nothing useful unless ROW). At least
 * 16 bytes behind p[len] must be readable.
 */
enum rv_csv_end rv_csv_row(const struct rv_csv_rules *rules, const char *p, size_t len, bool final,
			   struct rv_strbuf *out, struct rv_csv_row *ret);

#endif
