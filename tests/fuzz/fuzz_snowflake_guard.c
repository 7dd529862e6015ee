/* Any SQL: refused with a sentence, or so many statements, and more of them never become fewer. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/snowflake_guard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	RV_CLEANUP(rv_free_p) char *sql = rv_strndup((const char *)data, size);
	RV_CLEANUP(rv_free_p) char *longer = rv_asprintf("select 1;\n%s\n;drop table t", sql);
	struct rv_error err = RV_ERROR_INIT;
	unsigned reading = 0, writing = 0, all = 0;
	enum rv_status may_read = snow_guard(sql, false, &reading, &err);

	assert(may_read == RV_OK || (may_read == RV_USAGE && err.message[0]));
	if (may_read == RV_OK) {
		/* What reads only may be sent either way, as the same statements. */
		assert(snow_guard(sql, true, &writing, &err) == RV_OK && writing == reading && reading > 0);
		assert(snow_guard(longer, true, &all, &err) == RV_OK && all == reading + 2);
	}
	/* Whatever it is, what is no query behind it is not let through. */
	assert(snow_guard(longer, false, &all, &err) == RV_USAGE);
	return 0;
}
