/* `river pump` straight into a stream: the flow of push, with events for its input. */
#include "pump.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "delivery/delivery.h"
#include "flow/catalog.h"
#include "flow/push.h"

static enum rv_status with_rejects(const struct rv_pump_line *line, enum rv_status status,
				   struct rv_error *err)
{
	const struct rv_pump_counts *c = &line->counts;

	if (status != RV_OK || !c->rejected)
		return status;
	return rv_fail(err, c->events ? RV_PARTIAL : RV_BAD_DATA,
		       "%llu of %llu rows %s rejected, the first: %s", (unsigned long long)c->rejected,
		       (unsigned long long)c->rows, c->rejected == 1 ? "is" : "are", c->first_reject);
}

enum rv_status river_pump_stream(struct rv_command_context *cx, const char *name,
				 struct rv_pump_line *line, const char *run, int64_t retry_for_ms,
				 int64_t started_ms, struct rv_error *err)
{
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	RV_CLEANUP(rv_source_free_p) struct rv_source *source = NULL;
	char stream_text[RV_STREAM_TEXT];

	rv_stream_init(&stream);
	if ((!cx->lake && rv_wire_lake(cx->profile, &cx->lake, err) != RV_OK) ||
	    rv_wire_business(cx, name, err) != RV_OK ||
	    rv_catalog_get(cx->lake, name, &stream, NULL, err) != RV_OK ||
	    rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK)
		return err->status;
	rv_stream_text(&stream, stream_text);
	source = rv_pump_source_new(line);
	const struct rv_push_params params = {
		.stream = &stream,
		.lake = cx->lake,
		.delivery = delivery,
		.state_dir = cx->profile->state_dir,
		.read = {
			.format = RV_FORMAT_NDJSON,
			.max_record_bytes = 16 << 20,
			.max_depth = 1024,
			.refuse_river_key = stream.stamp != RV_STAMP_NONE,
			.csv = RV_CSV_DIALECT_INIT,
		},
		.source = source,
		.run = run,
		.wait = RV_WAIT_SENT,
		.batch_bytes = stream.batch_bytes,
		.batch_records = stream.batch_records,
		.flush_after_ms = stream.batch_age_ms,
		.retry_for_ms = retry_for_ms,
		.max_rejects = UINT64_MAX,
		.spool_max_bytes = cx->profile->spool_max_bytes,
		.threads = sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1,
		.lock_timeout_ms = rv_lock_timeout_ms(cx),
		.should_stop = rv_should_stop,
		.check_stream = true,
		.note = rv_flow_note,
		.warn = rv_flow_warning,
	};
	struct rv_push_result result;
	enum rv_status status = rv_push(&params, &result, err);
	struct rv_pump_state *state = line->params.state;

	status = with_rejects(line, status, err);
	if (state && line->ended && (status == RV_OK || status == RV_PARTIAL)) {
		struct rv_error later = RV_ERROR_INIT;

		if (rv_pump_state_settled(state, line->row.number + 1, true, &later) != RV_OK ||
		    (line->data_ended &&
		     rv_pump_state_end(state, rv_pump_feed_place(line->params.feed)->pass + 1, &later) != RV_OK)) {
			*err = later;
			status = err->status;
		}
	}
	const struct river_pump_said said = {
		.to = stream_text,
		.map = line->params.map,
		.line = line,
		.push = &result,
		.took_ms = rv_clock_monotonic_ms() - started_ms,
		.status = status,
	};

	river_pump_say(cx, &said);
	rv_push_result_release(&result);
	return status;
}
