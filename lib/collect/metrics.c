/* How it is going: for a load balancer, and for Prometheus (text format 0.0.4). */
#include <inttypes.h>

#include "base/clock.h"
#include "collect/server_impl.h"

/* A disk that takes longer for one round is no place to send anybody to. */
#define SLOW_ROUND_MS 5000

const char *rv_server_unready(struct rv_collect_server *server)
{
	struct rv_collect_totals totals;
	rv_collect_store_totals(server->store, &totals);
	if (server->stopping_ms)
		return "stopping";
	if (totals.spool_full)
		return "the spool is full";
	if (totals.round_since_ms && rv_clock_monotonic_ms() - totals.round_since_ms > SLOW_ROUND_MS)
		return "the disk does not answer";
	if (server->last_round_failed)
		return "what was sent last could not be stored";
	if (totals.failure.status != RV_OK)
		return "no batches can be made of what was received";
	return NULL;
}

static void add(struct rv_strbuf *out, const char *name, const char *type, const char *help, double value)
{
	rv_strbuf_printf(out, "# HELP river_collect_%s %s\n# TYPE river_collect_%s %s\nriver_collect_%s %.15g\n",
			 name, help, name, type, name, value);
}

static void add_statuses(struct rv_strbuf *out, const struct counters *counters)
{
	rv_strbuf_puts(out, "# HELP river_collect_answers_total Answers by status.\n"
			    "# TYPE river_collect_answers_total counter\n");
	for (size_t i = 0; i < sizeof(counters->by_status) / sizeof(*counters->by_status); i++)
		if (counters->by_status[i])
			rv_strbuf_printf(out, "river_collect_answers_total{code=\"%zu\"} %" PRIu64 "\n", i,
					 counters->by_status[i]);
}

void rv_server_metrics(struct rv_collect_server *server, struct rv_strbuf *out)
{
	struct rv_collect_totals t;
	rv_collect_store_totals(server->store, &t);
	const struct counters *c = &server->counters;
	const struct rv_delivered *delivered = &t.courier.delivered;
	int64_t now_ms = rv_clock_monotonic_ms();
	const struct {
		const char *name, *type, *help;
		double value;
	} values[] = {
		{ "connections", "gauge", "Connections that are open.", (double)server->connections_count },
		{ "connections_total", "counter", "Connections that were taken.", (double)c->connections },
		{ "connections_delayed_total", "counter", "Times that no connection could be taken.",
		  (double)c->refused_connections },
		{ "requests_total", "counter", "Requests that were understood.", (double)c->requests },
		{ "events_total", "counter", "Events that were stored.", (double)t.records },
		{ "duplicates_total", "counter", "Events that were there already.", (double)c->duplicates },
		{ "rejected_total", "counter", "Events that were refused and kept aside.", (double)t.rejected },
		{ "stored_bytes_total", "counter", "Bytes that were stored.", (double)t.bytes },
		{ "rounds_total", "counter", "Writes that were made durable.", (double)t.rounds },
		{ "rounds_failed_total", "counter", "Writes that failed.", (double)t.failed_rounds },
		{ "round_last_seconds", "gauge", "How long the last write took.",
		  (double)t.round_last_ms / 1000 },
		{ "round_longest_seconds", "gauge", "How long the longest write took.",
		  (double)t.round_longest_ms / 1000 },
		{ "buffered_bytes", "gauge", "Memory of unfinished requests and answers.",
		  (double)server->buffered },
		{ "batches_total", "counter", "Batches that were made.", (double)t.batches },
		{ "batches_failing", "gauge", "1 while no batches can be made.",
		  t.failure.status != RV_OK ? 1 : 0 },
		{ "spool_bytes", "gauge", "Bytes that wait in the spool.", (double)t.spool_bytes },
		{ "spool_max_bytes", "gauge", "Bytes at which nothing more is accepted.",
		  (double)server->params.store.spool_max_bytes },
		{ "delivered_total", "counter", "Records that came to the lake or the next hop.",
		  (double)(delivered->landed_records + delivered->sent_records) },
		{ "delivery_failing_seconds", "gauge", "How long nothing could be delivered.",
		  t.courier.failing_since_ms ? (double)(now_ms - t.courier.failing_since_ms) / 1000 : 0 },
		{ "ready", "gauge", "1 when /readyz says so.", rv_server_unready(server) ? 0 : 1 },
	};
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		add(out, values[i].name, values[i].type, values[i].help, values[i].value);
	add_statuses(out, c);
}
