/* The answers of insertReport and loadHistoryScan, read one event at a time. */
#ifndef RV_SNOWFLAKE_SNOWPIPE_REPORT_H
#define RV_SNOWFLAKE_SNOWPIPE_REPORT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "snowflake/snowpipe.h"

/* What stands around the events; "" what does not. */
struct rv_snowpipe_summary {
	bool complete;
	char mark[64];
	char range_end[64];
};
/* RV_FAILED: it is no report. The failures of `each` pass through. */
enum rv_status rv_snowpipe_read_report(struct rv_str body, rv_snowpipe_each *each, void *arg,
				       struct rv_snowpipe_summary *ret,
				       struct rv_error *err) RV_MUST_CHECK;

#endif
