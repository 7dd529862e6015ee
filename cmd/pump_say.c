/* What `river pump` says at its end. */
#include "pump.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/number.h"
#include "flow/push.h"

static const char *kind_name(const struct rv_map *map, size_t i)
{
	return map->kinds_count ? map->kinds[i].name : "event";
}

static size_t kinds_count(const struct rv_map *map)
{
	return map->kinds_count ? map->kinds_count : 1;
}

/* "0.31 ms", "1.2 s" */
static const char *format_us(int64_t us, char buf[RV_NUMBER_TEXT])
{
	if (us < 10000)
		snprintf(buf, RV_NUMBER_TEXT, "%.2f ms", (double)us / 1000);
	else if (us < 1000000)
		snprintf(buf, RV_NUMBER_TEXT, "%.0f ms", (double)us / 1000);
	else
		snprintf(buf, RV_NUMBER_TEXT, "%.1f s", (double)us / 1e6);
	return buf;
}

static void add_count(json_t *o, const char *name, uint64_t v)
{
	json_object_set_new(o, name, json_integer((json_int_t)v));
}

static json_t *kinds_json(const struct river_pump_said *said)
{
	json_t *kinds = json_object();

	for (size_t i = 0; i < kinds_count(said->map); i++)
		add_count(kinds, kind_name(said->map, i), said->line->counts.kinds[i]);
	return kinds;
}

static void add_post(json_t *o, const struct rv_pump_post_result *r)
{
	static const struct {
		const char *name;
		double part;
	} parts[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };
	json_t *statuses = json_object(), *latency = json_object();

	add_count(o, "taken", r->taken);
	add_count(o, "refused", r->refused);
	add_count(o, "unsettled", r->unsettled);
	add_count(o, "maybe_twice", r->maybe_twice);
	add_count(o, "requests", r->bodies);
	add_count(o, "retries", r->retries);
	add_count(o, "connections", r->connects);
	for (int i = 0; i < RV_PUMP_STATUSES; i++)
		if (r->statuses[i]) {
			char text[8];

			snprintf(text, sizeof(text), "%d", i);
			add_count(statuses, text, r->statuses[i]);
		}
	json_object_set_new(o, "statuses", statuses);
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
		add_count(latency, parts[i].name, (uint64_t)rv_latency_at(&r->latency, parts[i].part));
	add_count(latency, "max", (uint64_t)r->latency.most_us);
	json_object_set_new(o, "latency_us", latency);
}

static json_t *said_json(const struct river_pump_said *said)
{
	const struct rv_pump_counts *c = &said->line->counts;
	json_t *o = json_object();

	if (said->to)
		json_object_set_new(o, "to", rv_out_text(said->to));
	json_object_set_new(o, "status", json_string(rv_status_name(said->status)));
	add_count(o, "rows", c->rows);
	add_count(o, "events", c->events);
	add_count(o, "rejected", c->rejected);
	add_count(o, "skipped", c->skipped);
	add_count(o, "bytes", c->bytes);
	json_object_set_new(o, "kinds", kinds_json(said));
	if (said->post)
		add_post(o, said->post);
	if (said->push) {
		add_count(o, "accepted", said->push->accepted);
		add_count(o, "landed", said->push->landed);
		add_count(o, "sent", said->push->sent);
		add_count(o, "objects", said->push->objects);
		json_object_set_new(o, "runs", said->push->runs ? json_incref(said->push->runs)
								: json_array());
	}
	if (c->first_reject[0])
		json_object_set_new(o, "first_reject", rv_out_text(c->first_reject));
	add_count(o, "late_ms", (uint64_t)said->line->params.pace->late_us / 1000);
	json_object_set_new(o, "took_ms", json_integer(said->took_ms));
	return o;
}

static void say_text(const struct river_pump_said *said)
{
	const struct rv_pump_counts *c = &said->line->counts;
	const struct rv_pump_post_result *r = said->post;
	char events[RV_NUMBER_TEXT], size[RV_NUMBER_TEXT], took[RV_NUMBER_TEXT], rate[RV_NUMBER_TEXT];
	char a[RV_NUMBER_TEXT], b[RV_NUMBER_TEXT], d[RV_NUMBER_TEXT];
	int64_t ms = said->took_ms ? said->took_ms : 1;

	uint64_t count = r ? r->taken : c->events;

	rv_note("pumped %s event%s (%s) to %s in %s, %s a second", rv_format_count(count, events),
		count == 1 ? "" : "s", rv_format_size(r && !r->taken ? 0 : c->bytes, size), said->to,
		rv_format_duration(said->took_ms, took),
		rv_format_count(count * 1000 / (uint64_t)ms, rate));
	if (said->push)
		rv_note("%s accepted, in %s object%s", rv_format_count(said->push->accepted, a),
			rv_format_count(said->push->objects, b), said->push->objects == 1 ? "" : "s");
	if (!r)
		return;
	rv_note("%s taken, %s refused, %s tried again; answers within %s (half), %s (99 of 100), %s (all)",
		rv_format_count(r->taken, events), rv_format_count(r->refused, size),
		rv_format_count(r->retries, took), format_us(rv_latency_at(&r->latency, 0.5), a),
		format_us(rv_latency_at(&r->latency, 0.99), b), format_us(r->latency.most_us, d));
	if (r->maybe_twice)
		rv_note("%s of them may have arrived twice, the same bytes both times",
			rv_format_count(r->maybe_twice, events));
	if (said->line->params.pace->late_us > RV_PUMP_SLACK_US)
		rv_note("up to %s behind the pace", format_us(said->line->params.pace->late_us, a));
}

void river_pump_say(struct rv_command_context *cx, const struct river_pump_said *said)
{
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, said_json(said));
	else if (cx->verbose || rv_messages_terminal())
		say_text(said);
}

void river_pump_say_check(struct rv_command_context *cx, const struct river_pump_said *said,
			  const struct rv_pump_check *check)
{
	static const char *const headers[] = { "kind", "events" };
	static const bool right[] = { false, true };
	const struct rv_pump_counts *c = &said->line->counts;
	char n[RV_NUMBER_TEXT], first[RV_TIME_TEXT], last[RV_TIME_TEXT];
	bool has_sessions = said->map->session != RV_MAP_NONE;

	if (cx->output == RV_OUT_JSON) {
		json_t *o = said_json(said);

		if (has_sessions) {
			add_count(o, "sessions", check->sessions);
			json_object_set_new(o, "sessions_estimated", json_boolean(check->sessions_estimated));
		}
		if (check->has_time) {
			json_object_set_new(o, "first_time",
					    json_string(rv_format_time(check->first_ms, first)));
			json_object_set_new(o, "last_time",
					    json_string(rv_format_time(check->last_ms, last)));
		}
		rv_out_json(cx->out, o);
		return;
	}
	rv_out_table_begin(cx->out, headers, right, 2);
	for (size_t i = 0; i < kinds_count(said->map); i++)
		rv_out_table_row(cx->out, (const char *const[]){ kind_name(said->map, i),
								 rv_format_count(c->kinds[i], n) });
	rv_out_table_end(cx->out);
	rv_out_printf(cx->out, "%s rows", rv_format_count(c->rows, n));
	if (has_sessions)
		rv_out_printf(cx->out, ", %s%s sessions", check->sessions_estimated ? "about " : "",
			      rv_format_count(check->sessions, n));
	rv_out_printf(cx->out, ", %s rejected", rv_format_count(c->rejected, n));
	if (c->skipped)
		rv_out_printf(cx->out, ", %s of no kind", rv_format_count(c->skipped, n));
	if (check->has_time)
		rv_out_printf(cx->out, ", %s to %s", rv_format_time(check->first_ms, first),
			      rv_format_time(check->last_ms, last));
	rv_out_printf(cx->out, "\n");
}
