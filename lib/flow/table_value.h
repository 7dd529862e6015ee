/*
 * One cell of a table as a typed, normalised value of a packed row, or the reason why it is none.
 *
 * Texts stay as they are. Numbers stay as they were written, as far as JSON can say them: a sign + and
 * leading zeros go, 1.10 stays 1.10, 1e3 becomes 1000 where the column is an integer or decimal. Dates
 * become 2026-11-20, times 2026-11-20T16:58:51.25Z, always UTC. Booleans are true and false. "" is null
 * unless the column is a string. The rules of what is exact are those of contracts (format/cut_text.h); of an
 * `exact` double, a number is also refused that is not found again from the nearest double, written with as
 * many digits.
 */
#ifndef RV_FLOW_TABLE_VALUE_H
#define RV_FLOW_TABLE_VALUE_H

#include <stdbool.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "config/stream.h"
#include "format/cut_text.h"

/* Whether values of the column are literals of JSON as they stand, in packed rows. */
bool rv_table_is_literal(const struct rv_column *column);
/* Appends the cell. A column of type string takes UTF-8 without NUL, which is not looked at. False: nothing
 * was appended, and `reason` says why. */
bool rv_table_value(const struct rv_column *column, struct rv_str s, struct rv_strbuf *row,
		    char reason[RV_CUT_REASON]) RV_MUST_CHECK;

#endif
