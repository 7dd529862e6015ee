/*
 * The rows of a member of an extract, as packed rows: CSV of a declared dialect, read at memory speed.
 *
 * A cell is looked at once and copied once. Columns that are not kept are only passed over. Memory is a
 * window of 1 MiB, and as much as the longest row takes, up to max_row_bytes.
 *
 * The header is matched by name, wherever a column stands: exactly, or else without regard to case and to
 * blanks around it; a kept column that is not there, or twice, is RV_BAD_DATA. A row that is not right is
 * given to `reject` with its place and its bytes, and reading goes on behind it: too few or too many fields,
 * text behind a closing quote, a quote inside an unquoted field, the header once more, bytes that are no
 * text, a value that its column does not take. A quote that is not closed within max_row_bytes costs the line
 * it was opened in. Blank lines are no rows. A byte order mark is no part of the header.
 *
 * One thread uses a reader.
 */
#ifndef RV_FLOW_TABLE_CSV_H
#define RV_FLOW_TABLE_CSV_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/job.h"
#include "source/source.h"

struct rv_table_reject {
	const char *code;      /* "ragged_row", "text_after_quote", "quote_in_field", "bad_value", ... */
	const char *reason;    /* in words */
	const char *column;    /* of a value; "" otherwise */
	uint64_t line;         /* from 1, where the row starts */
	uint64_t offset;       /* of the row in the member's text as UTF-8, without its mark */
	const char *bytes;     /* the row, without its line end */
	size_t len;
};
struct rv_table_sink {
	/* Columns in the order of the table. The row is valid for the call. */
	enum rv_status (*row)(void *arg, const char *row, size_t len, struct rv_error *err);
	/* Other than RV_OK ends the reading: there are too many. */
	enum rv_status (*reject)(void *arg, const struct rv_table_reject *reject, struct rv_error *err);
	/* Optional: now and then, with the bytes read so far. Other than RV_OK ends it. */
	enum rv_status (*progress)(void *arg, uint64_t bytes, struct rv_error *err);
	void *arg;
};
struct rv_table_counts {
	uint64_t bytes, rows, rejected;
	uint64_t others;       /* columns of the header that are not kept */
};

/* Reads `source` to its end. */
enum rv_status rv_table_csv_read(const struct rv_job_table *table, uint64_t max_row_bytes,
				 struct rv_source *source, const struct rv_table_sink *sink,
				 struct rv_table_counts *ret, struct rv_error *err) RV_MUST_CHECK;

#endif
