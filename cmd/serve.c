/* `river serve`: the collector of events that come over HTTP. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/number.h"
#include "cli/output.h"
#include "collect/server.h"
#include "config/config.h"
#include "context.h"
#include "delivery/delivery.h"
#include "flow/catalog.h"
#include "serve_unit.h"

/* Behind the end of a push the same is tried for a minute; a server that is told to stop has to go. */
#define STOP_RETRY_MS 8000

struct serve_options {
	bool collect;
	const char *listen;
	bool print_unit;
};

static const struct rv_opt serve_options_table[] = {
	OPT_FLAG(struct serve_options, 0, "collect", collect, "receive events by POST and as pixels"),
	OPT_STRING(struct serve_options, 0, "listen", listen, "address",
		   "listen there, on a free port for :0; not used with sockets from systemd",
		   .config_key = "collect.listen"),
	OPT_FLAG(struct serve_options, 0, "print-unit", print_unit,
		 "print units of systemd for this stream and do nothing else"),
	OPT_END
};

static const struct rv_example serve_examples[] = {
	{ "river serve --collect web/clicks", "receive events on 127.0.0.1:8080/collect" },
	{ "river serve --collect web/clicks --print-unit", "the same as a service" },
	{ NULL, NULL }
};

/* ---- signals ---- */

static atomic_int asked_to_reload; /* by a handler, and looked at by another thread */

static void note_hangup(int number RV_UNUSED)
{
	asked_to_reload = 1;
}

/* A hangup asks other commands to stop. */
static void take_hangups(void)
{
	struct sigaction action = { .sa_handler = note_hangup };
	sigemptyset(&action.sa_mask);
	sigaction(SIGHUP, &action, NULL);
}

static bool should_reload(void)
{
	return atomic_exchange(&asked_to_reload, 0) != 0;
}

/* ---- settings ---- */

static const char *setting(const struct rv_config *config, const char *key)
{
	const char *value = NULL, *origin;
	struct rv_error err = RV_ERROR_INIT;
	if (rv_config_get(config, key, &value, &origin, &err) != RV_OK)
		rv_bug("%s", err.message);
	return value;
}

static uint64_t count_setting(const struct rv_config *config, const char *key)
{
	const char *value = setting(config, key);
	uint64_t n;
	if (!value || !rv_parse_u64(value, strlen(value), &n))
		rv_bug("%s was checked before", key);
	return n;
}

/* What is in the configuration was checked with it; the file of keys is read here. */
static enum rv_status read_settings(const struct rv_config *config, struct rv_collect_settings *ret,
				    struct rv_error *err)
{
	const char *keys = setting(config, "collect.keys");
	const char *origins = setting(config, "collect.origins");
	if (!rv_parse_size(setting(config, "collect.max_body"), &ret->max_body_bytes))
		rv_bug("collect.max_body was checked before");
	ret->max_connections = count_setting(config, "collect.max_connections");
	ret->rate = count_setting(config, "collect.rate");
	ret->remember = count_setting(config, "collect.remember");
	if (origins && rv_collect_settings_origins(ret, origins, err) != RV_OK)
		return err->status;
	return keys ? rv_collect_settings_keys(ret, keys, err) : RV_OK;
}

static enum rv_status reload(void *arg, struct rv_collect_settings *ret, struct rv_error *err)
{
	const struct rv_command_context *cx = arg;
	RV_CLEANUP(rv_config_free_p) struct rv_config *config = NULL;
	if (rv_config_load(cx->config_params, &config, err) != RV_OK)
		return err->status;
	return read_settings(config, ret, err);
}

/* ---- systemd ---- */

/* Sockets that it has opened already, all of them: sd_listen_fds(3). None where there are none. */
static enum rv_status inherited_sockets(int **ret, size_t *ret_count, struct rv_error *err)
{
	const char *pid = getenv("LISTEN_PID"), *count_text = getenv("LISTEN_FDS");
	uint64_t mine, count;
	size_t capacity = 0;
	if (!pid || !count_text || !rv_parse_u64(pid, strlen(pid), &mine) || mine != (uint64_t)getpid() ||
	    !rv_parse_u64(count_text, strlen(count_text), &count))
		return RV_OK;
	for (int fd = 3; *ret_count < count; fd++) {
		/* Whoever holds the ones behind it would wait for answers that nobody gives. */
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return rv_fail_errno(err, RV_LOCAL_IO, "take over %" PRIu64 " sockets (LISTEN_FDS), of which "
							       "descriptor %d is one", count, fd);
		RV_GROW(*ret, *ret_count, capacity);
		(*ret)[(*ret_count)++] = fd;
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return RV_OK;
}

/* sd_notify(3); nobody may be listening. */
static void tell_manager(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	if (len < 2 || len >= sizeof(address.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	RV_CLEANUP(rv_close_p) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
}

/* ---- the command ---- */

static void note(void *arg RV_UNUSED, const char *text)
{
	rv_note("%s", text);
}

static enum rv_status open_sockets(const char *listen_on, int **ret, size_t *ret_count, struct rv_error *err)
{
	if (inherited_sockets(ret, ret_count, err) != RV_OK)
		return err->status;
	if (*ret_count)
		return RV_OK;
	*ret = rv_malloc(sizeof(**ret));
	*ret_count = 1;
	return rv_collect_listen(listen_on, *ret, err);
}

static void free_sockets(int **sockets)
{
	free(*sockets);
}

static void say_ready(struct rv_command_context *cx, const char *stream, const char *url)
{
	rv_out_printf(cx->out, "listening on %s\n", url);
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s, s:s}", "listening", url, "stream", stream));
	rv_out_flush(cx->out);
	tell_manager("READY=1");
}

static enum rv_status sum_up(struct rv_command_context *cx, const char *stream,
			     const struct rv_collect_totals *totals, struct rv_error *err)
{
	char count[RV_NUMBER_TEXT], bytes[RV_NUMBER_TEXT];
	if (cx->output == RV_OUT_JSON)
		rv_out_json(cx->out, json_pack("{s:s, s:I, s:I, s:I, s:I}", "stream", stream, "accepted",
					       (json_int_t)totals->records, "rejected",
					       (json_int_t)totals->rejected, "batches",
					       (json_int_t)totals->batches, "spooled_bytes",
					       (json_int_t)totals->spool_bytes));
	if (cx->verbose || rv_messages_terminal())
		rv_note("received %s event%s for %s", rv_format_count(totals->records, count),
			totals->records == 1 ? "" : "s", stream);
	if (totals->loss.status != RV_OK) {
		*err = totals->loss;
		return err->status;
	}
	const struct rv_error *why = totals->courier.delivery.status != RV_OK ? &totals->courier.delivery
									      : &totals->failure;
	if (why->status != RV_OK && totals->spool_bytes)
		rv_warn("%s stay in the spool, nothing is lost ('river spool flush' brings them): %s",
			rv_format_size(totals->spool_bytes, bytes), why->message);
	return RV_OK;
}

static enum rv_status serve(struct rv_command_context *cx, const char *stream,
			    const struct rv_collect_server_params *params, const char *url,
			    struct rv_error *err)
{
	struct rv_collect_server *server = NULL;
	struct rv_collect_totals totals;
	if (rv_collect_server_new(params, &server, err) != RV_OK)
		return err->status;
	take_hangups();
	say_ready(cx, stream, url);
	enum rv_status status = rv_collect_server_run(server, err);
	tell_manager("STOPPING=1");
	rv_collect_server_totals(server, &totals);
	if (status == RV_OK)
		status = sum_up(cx, stream, &totals, err);
	rv_collect_server_free(server);
	return status;
}

static enum rv_status serve_run(struct rv_command_context *cx, void *options, int count,
				char **operands, struct rv_error *err)
{
	const struct serve_options *o = options;
	RV_CLEANUP(rv_collect_settings_release)
	struct rv_collect_settings settings = { .max_body_bytes = 0 };
	RV_CLEANUP(rv_stream_release_p) struct rv_stream stream;
	RV_CLEANUP(rv_delivery_free_p) struct rv_delivery *delivery = NULL;
	char stream_text[RV_STREAM_TEXT];
	const char *stage = setting(cx->config, "collect.stage");
	RV_CLEANUP(free_sockets) int *sockets = NULL;
	size_t sockets_count = 0;
	rv_stream_init(&stream);
	if (!o->collect)
		return rv_fail(err, RV_USAGE, "say what is served: --collect");
	if (count != 1)
		return rv_fail(err, RV_USAGE, "serve --collect takes one stream");
	stage = stage ? stage : "";
	if (rv_wire_business(cx, operands[0], err) != RV_OK ||
	    rv_catalog_get(cx->lake, operands[0], &stream, NULL, err) != RV_OK)
		return err->status;
	rv_stream_text(&stream, stream_text);
	if (o->print_unit) {
		river_print_unit(cx, &stream, o->listen);
		return RV_OK;
	}
	if (read_settings(cx->config, &settings, err) != RV_OK ||
	    rv_wire_delivery(cx->profile, cx->lake, &delivery, err) != RV_OK ||
	    open_sockets(o->listen, &sockets, &sockets_count, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *address = rv_collect_address(sockets[0]);
	RV_CLEANUP(rv_free_p)
	char *url = rv_asprintf("http://%s%s%s/collect", address, *stage ? "/" : "", stage);
	const struct rv_collect_server_params params = {
		.listeners = sockets,
		.listeners_count = sockets_count,
		.stage = stage,
		.settings = &settings,
		.store = {
			.stream = &stream,
			.lake = cx->lake,
			.delivery = delivery,
			.state_dir = cx->profile->state_dir,
			.source = url,
			.spool_max_bytes = cx->profile->spool_max_bytes,
			.retry = { .for_ms = STOP_RETRY_MS, .should_stop = rv_should_stop },
			.warn = rv_flow_warning,
		},
		.should_stop = rv_should_stop,
		.should_reload = should_reload,
		.reload = reload,
		.note = note,
		.warn = rv_flow_warning,
		.arg = cx,
	};
	return serve(cx, stream_text, &params, url, err);
}

const struct rv_command cmd_serve = {
	.name = "serve",
	.group = RV_GROUP_DELIVER,
	.summary = "receive events over HTTP into a stream",
	.operands = "<stream>",
	.needs = RV_NEEDS_PROFILE | RV_NEEDS_LAKE,
	.operand_complete = { RV_COMPLETE_STREAM, RV_COMPLETE_NOTHING },
	.options = serve_options_table,
	.options_size = sizeof(struct serve_options),
	.examples = serve_examples,
	.run = serve_run,
};
