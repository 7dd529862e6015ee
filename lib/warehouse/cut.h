/*
 * The contract, applied to one record: typed column values cut from the record's own bytes, or the
 * reason why it is refused (semantics.md 3.3, 6.3). Knows no database.
 *
 * Values are exact: a decimal never passes through a double; digits that would be lost, a number
 * that does not fit, or a time without zone where the column has none, refuse the record. Numbers,
 * booleans and times may also be JSON strings (a CSV row is all strings), where "" is null.
 */
#ifndef RV_WAREHOUSE_CUT_H
#define RV_WAREHOUSE_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"
#include "format/cut_text.h"

struct rv_cut_value {
	bool null;
	union {
		int64_t integer;      /* also: microseconds since 1970 UTC, days since 1970 */
		__int128 decimal;     /* times 10^scale */
		double number;
		bool boolean;
		struct rv_str text;   /* string and json; lives until the next cut with `scratch` */
	} u;
};
struct rv_cut_refusal {
	const char *column;       /* name of the column, or of the unknown field */
	char field[128];          /* holds the latter */
	char reason[160];         /* of a column and a fault always the same words, to group by */
	char value[64];           /* the value, shortened, as it stands in the record; "": none */
};

/* A compiled contract. Not changed by cutting, so threads may share it; borrows the stream. */
struct rv_cut;
enum rv_status rv_cut_new(const struct rv_stream *stream, struct rv_cut **ret,
			  struct rv_error *err) RV_MUST_CHECK;
void rv_cut_free(struct rv_cut *cut);

/* Scratch memory of one thread. */
struct rv_cut_scratch;
struct rv_cut_scratch *rv_cut_scratch_new(const struct rv_cut *cut);
void rv_cut_scratch_free(struct rv_cut_scratch *scratch);

/* Fills values[0..columns_count); false with `refusal` when the contract refuses the record. The
 * record must be valid JSON. */
bool rv_cut_record(const struct rv_cut *cut, struct rv_cut_scratch *scratch, const char *p,
		   size_t len, struct rv_cut_value *values, struct rv_cut_refusal *refusal);

/* Whether two records can be duplicates of each other at all, by the stream's dedup rule. */
bool rv_cut_dedups(const struct rv_cut *cut);
/* What duplicates have in common, as 128 bits; for the record just cut with `scratch`. */
void rv_cut_identity(const struct rv_cut *cut, const struct rv_cut_scratch *scratch, const char *p,
		     size_t len, const struct rv_cut_value *values, uint64_t ret[2]);

#endif
