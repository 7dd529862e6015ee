/*
 * Where fields and rows of CSV end: a look at 64 bytes at a time, before anything is taken apart.
 *
 * It is right for rows in which quotes stand where they should: around a whole field, and doubled inside.
 * A row that is otherwise, or that holds the escape byte, is marked as doubtful: its end is a guess. Whoever
 * looks at it more closely goes on with the index if the row ends where one of the index does, else makes
 * another one behind it.
 *
 * Not shared between threads.
 */
#ifndef RV_FORMAT_CSV_INDEX_H
#define RV_FORMAT_CSV_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RV_CSV_INDEX_BYTES 16384 /* most that is looked at in one turn */
#define RV_CSV_INDEX_SLACK 64    /* bytes behind that may be read, whatever they are */

struct rv_csv_marks {
	char delimiter;
	char quote;    /* 0: none */
	char escape;   /* 0: none */
	bool lf, crlf; /* which line ends there are, at least one */
};
struct rv_csv_index_row {
	uint16_t end;    /* of its '\n', from the start of the index */
	uint16_t fields; /* fields up to its end, those of the rows before it too */
	uint16_t lines;  /* '\n' up to its end, likewise */
	bool doubtful;
	bool high;       /* it has bytes above ASCII */
	bool special;    /* its fields have bytes of the map */
};
struct rv_csv_index {
	size_t rows_count;     /* that end in what was looked at */
	struct rv_csv_index_row rows[RV_CSV_INDEX_BYTES];
	uint16_t ends[RV_CSV_INDEX_BYTES + 64]; /* of fields: their delimiter or '\n' */
	/* A bit for each byte: a control character, '"', '\\' or the quote. */
	uint64_t special[RV_CSV_INDEX_BYTES / 64];
};
typedef void rv_csv_index_make(const struct rv_csv_marks *marks, const char *p, size_t len,
			       struct rv_csv_index *ret);

/* Whether the map has a bit of [from, to). */
static inline bool rv_csv_index_has_special(const struct rv_csv_index *index, size_t from, size_t to)
{
	if (from >= to)
		return false;
	size_t first = from / 64, last = (to - 1) / 64;
	uint64_t bits = index->special[first] & UINT64_MAX << from % 64;

	for (; first < last; bits = index->special[++first])
		if (bits)
			return true;
	return (bits & UINT64_MAX >> (63 - (to - 1) % 64)) != 0;
}

/* `p` is where a row starts; `len` at most RV_CSV_INDEX_BYTES. NULL: this processor has no way that is
 * worth it. */
rv_csv_index_make *rv_csv_index_best(void);

/* The ways there are, for tests: all give the same. The list is static; those that this processor can run are
 * counted. */
struct rv_csv_indexer {
	const char *name;
	rv_csv_index_make *make;
};
size_t rv_csv_indexers(const struct rv_csv_indexer **ret_list);

#endif
