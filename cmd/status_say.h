/* What `river status` says of a stream, once reconcile has a report. */
#ifndef RIVER_STATUS_SAY_H
#define RIVER_STATUS_SAY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/output.h"
#include "flow/reconcile.h"

struct river_status_view {
	struct rv_out *out;
	bool check, verify;    /* as the options say */
	int64_t now_ms;
	const char *since_day; /* "": all */
};

/* Both belong to the caller. */
json_t *river_finding_json(const struct rv_finding *f);
json_t *river_report_json(const struct river_status_view *s, const char *name,
			  const struct rv_reconcile *report);

/* "NAME: wrong: code: message" */
void river_say_finding(struct rv_out *out, const char *name, const struct rv_finding *f);
void river_say_findings(const struct river_status_view *s, const char *name,
			const struct rv_reconcile *report);
void river_say_report(const struct river_status_view *s, const char *name,
		      const struct rv_reconcile *report);

/* One row a stream; the table is printed when the output ends. */
void river_overview_begin(struct rv_out *out);
void river_overview_row(const struct river_status_view *s, const char *name,
			const struct rv_reconcile *report);

#endif
