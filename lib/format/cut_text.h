/*
 * Typed values of texts, exact or refused: what contracts cut of records and what is kept of the cells of
 * extracts goes by the same rules. A decimal never passes through a double; digits that would be lost, a
 * number that does not fit, or a time without zone where the column has none are refused.
 *
 * Each takes the whole of `s`; false fills `reason` (RV_CUT_REASON bytes), for one fault always the same
 * words.
 */
#ifndef RV_FORMAT_CUT_TEXT_H
#define RV_FORMAT_CUT_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

#define RV_CUT_REASON 160
/* Digits a number may have before it is refused unread; far more than any decimal holds. */
#define RV_CUT_NUMBER_MAX 4096

/* [sign] digits [. digits] [e [sign] digits], with at least one digit in front. */
struct rv_cut_number {
	bool negative;
	const char *whole, *fraction;
	size_t whole_len, fraction_len;
	int64_t exponent;
};
bool rv_cut_number(struct rv_str s, struct rv_cut_number *ret, char *reason);
/* ret is the value times 10^scale. */
bool rv_cut_decimal(struct rv_str s, unsigned precision, unsigned scale, __int128 *ret,
		    char *reason);
bool rv_cut_integer(struct rv_str s, int64_t *ret, char *reason);
bool rv_cut_boolean(struct rv_str s, bool *ret, char *reason);
bool rv_cut_timestamp(struct rv_str s, const char *format, const char *timezone,
		      int64_t *ret_us, char *reason);
bool rv_cut_date(struct rv_str s, const char *format, int64_t *ret_days, char *reason);

#endif
