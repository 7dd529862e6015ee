/* Trailers of members. */
#include "flow/table_trailer.h"

#include <inttypes.h>

#include "format/number_pattern.h"

enum rv_status rv_table_trailer_row(struct rv_table_trailer *trailer, const struct rv_job_dialect *dialect,
				    const char *label, uint64_t line, const char *row, size_t len, bool *ret_is,
				    struct rv_error *err)
{
	if (trailer->found) {
		rv_fail(err, RV_BAD_DATA, "%s: line %" PRIu64 " stands behind the trailer in line %" PRIu64, label,
			line, trailer->line);
		rv_hint(err, "dialect: { trailer: ... } is the last row: do others look like it?");
		return err->status;
	}
	*ret_is = rv_number_pattern_match(dialect->trailer, "count", row, len, &trailer->count);
	trailer->found = *ret_is;
	trailer->line = line;
	return RV_OK;
}

enum rv_status rv_table_trailer_end(const struct rv_table_trailer *trailer, const struct rv_job_dialect *dialect,
				    const char *label, uint64_t rows, struct rv_error *err)
{
	uint64_t others = dialect->trailer_counts_all ? 1 + dialect->header : 0;

	if (!dialect->trailer || (trailer->found && trailer->count == rows + others))
		return RV_OK;
	if (!trailer->found) {
		rv_fail(err, RV_BAD_DATA, "%s: its last row is no trailer '%s'; %" PRIu64 " rows are there", label,
			dialect->trailer, rows);
		rv_hint(err, "was it written to its end?");
		return err->status;
	}
	rv_fail(err, RV_BAD_DATA, "%s: its trailer says %" PRIu64 " row%s, and %" PRIu64 " %s there%s", label,
		trailer->count, trailer->count == 1 ? "" : "s", rows + others, rows + others == 1 ? "is" : "are",
		others ? ", with header and trailer" : "");
	rv_hint(err, "nothing of the extract was loaded: have it written once more");
	return err->status;
}
