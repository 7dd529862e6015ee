/*
 * An account of Snowflake that answers by a list: each request takes the next step, which says what the
 * request has to look like and what it is answered. One request at a time. A home folder of its own
 * holds a key that was made for it, and connections.toml. The test asserts after world_stop.
 */
#ifndef RV_TESTS_UNIT_SNOWFLAKE_WORLD_H
#define RV_TESTS_UNIT_SNOWFLAKE_WORLD_H

#include <fcntl.h>
#include <sys/stat.h>

#include "http_world.h"
#include "rsa_world.h"

#include "base/file.h"
#include "format/compress.h"
#include "snowflake/client.h"
#include "snowflake/internal.h"

struct step {
	const char *begins;   /* of the head: "POST /api/v2/statements?requestId=" */
	const char *has;      /* Optional: somewhere in the head, letters of either case */
	const char *has_not;  /* Optional: likewise */
	const char *body_has; /* Optional */
	int status;           /* 0: closed, -1: reset when half of the body was sent, -2: never answered */
	const char *fields;   /* Optional: "Date: ...\r\n" */
	const char *body;     /* Optional */
	bool gzip;            /* the body is packed */
	void (*meanwhile)(void); /* Optional: before it is answered */
};

struct world {
	struct server server;
	const struct step *steps;
	size_t count;
	bool last_repeats;     /* the last step answers whatever follows */
	atomic_size_t next;
	char wrong[2048];      /* the first thing that was not as it should be */
	struct rv_http *http;
	struct rv_snowflake *snowflake;
	struct rv_strbuf trace;
	char home[64];
	void *key;
};
static struct world w;
static struct rv_error err;

static enum rv_status world_packed(void *arg, const void *p, size_t len, struct rv_error *error RV_UNUSED)
{
	rv_strbuf_add(arg, p, len);
	return RV_OK;
}

static void world_gzip(struct rv_strbuf *out, const char *text)
{
	struct rv_compressor *compressor = NULL;
	struct rv_error e = RV_ERROR_INIT;

	if (rv_compressor_new(RV_OUTPUT_GZIP, 0, &compressor, &e) != RV_OK)
		fail_msg("%s", e.message);
	rv_compressor_begin(compressor, world_packed, out);
	if (rv_compressor_write(compressor, text, strlen(text), &e) != RV_OK ||
	    rv_compressor_end(compressor, &e) != RV_OK)
		fail_msg("%s", e.message);
	rv_compressor_free(compressor);
}

RV_UNUSED static bool world_answer(struct peer *peer, const struct step *step)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf body = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf head = RV_STRBUF_INIT;
	bool cut = step->status == -1;

	if (step->body && step->gzip)
		world_gzip(&body, step->body);
	else if (step->body)
		rv_strbuf_puts(&body, step->body);
	rv_strbuf_printf(&head, "HTTP/1.1 %d Text\r\n%s%sContent-Length: %zu\r\n\r\n",
			 cut ? 200 : step->status, step->fields ? step->fields : "",
			 step->gzip ? "Content-Encoding: gzip\r\n" : "", body.len);
	if (!peer_say(peer, head.bytes) || !peer_send(peer, body.bytes, cut ? body.len / 2 : body.len))
		return false;
	if (cut)
		peer_reset(peer);
	return !cut;
}

static void world_script(struct peer *peer)
{
	while (peer_read(peer)) {
		size_t i = atomic_fetch_add(&w.next, 1);
		const char *head = peer->head.bytes;

		if (i >= w.count && !w.last_repeats) {
			if (!*w.wrong)
				snprintf(w.wrong, sizeof(w.wrong), "one request too many: %.300s", head);
			return;
		}
		const struct step *step = &w.steps[i < w.count ? i : w.count - 1];
		if (!*w.wrong &&
		    (strncmp(head, step->begins, strlen(step->begins)) != 0 ||
		     (step->has && !strcasestr(head, step->has)) ||
		     (step->has_not && strcasestr(head, step->has_not)) ||
		     (step->body_has && !strstr(peer->body.bytes, step->body_has))))
			snprintf(w.wrong, sizeof(w.wrong),
				 "step %zu wants '%s' with '%s' without '%s' and a body with '%s': %.700s%.600s",
				 i + 1, step->begins, step->has ? step->has : "",
				 step->has_not ? step->has_not : "",
				 step->body_has ? step->body_has : "", head, peer->body.bytes);
		if (step->meanwhile)
			step->meanwhile();
		if (step->status == 0)
			return;
		if (step->status == -2) {
			peer_sleep(peer);
			return;
		}
		if (!world_answer(peer, step))
			return;
	}
}

static void world_trace(void *arg, const char *line)
{
	rv_strbuf_printf(arg, "%s\n", line);
}

RV_UNUSED static void world_file(const char *name, const char *text, mode_t mode)
{
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w.home, name);
	RV_CLEANUP(rv_free_p) char *folder = rv_path_parent(path);

	if (rv_make_folders(folder, 0700, &err) != RV_OK ||
	    rv_replace_file(path, text, strlen(text), mode, &err) != RV_OK)
		fail_msg("%s", err.message);
}

RV_UNUSED static void world_key_file(const char *name, void *key, enum rsa_form form)
{
	RV_CLEANUP(rv_free_p) char *pem = rsa_pem(key, form);

	assert_non_null(pem);
	world_file(name, pem, 0600);
}

/* connections.toml with one connection to the server, and `more` lines in it. */
static void world_connection(const char *more)
{
	RV_CLEANUP(rv_free_p) char *text = rv_asprintf(
		"[default]\naccount = \"acme-data\"\nhost = \"127.0.0.1\"\nport = %d\nprotocol = \"http\"\n%s",
		w.server.port, more);

	world_file(".snowflake/connections.toml", text, 0600);
}

#define WORLD_BY_KEY \
	"user = \"loader\"\nauthenticator = \"SNOWFLAKE_JWT\"\nprivate_key_file = \"~/rsa_key.p8\"\n" \
	"role = \"river_rw\"\nwarehouse = \"load_wh\"\ndatabase = \"river\"\n"

RV_UNUSED static void world_open(void)
{
	const struct rv_snowflake_settings_params params = { 0 };

	if (rv_snowflake_new(&params, w.http, &w.snowflake, &err) != RV_OK)
		fail_msg("%s", err.message);
	w.snowflake->max_attempts = w.count > 4 ? (unsigned)w.count : 4;
}

RV_UNUSED static void world_start_as(const struct step *steps, size_t count, const char *connection,
				     bool (*should_stop)(void))
{
	struct rv_http_params http = { .should_stop = should_stop, .trace = world_trace,
				       .trace_arg = &w.trace };

	err = (struct rv_error)RV_ERROR_INIT;
	w.steps = steps;
	w.count = count;
	w.last_repeats = false;
	atomic_store(&w.next, 0);
	w.wrong[0] = '\0';
	w.trace = (struct rv_strbuf)RV_STRBUF_INIT;
	server_start(&w.server, world_script, NULL);
	w.http = rv_http_new(&http);
	world_connection(connection);
	world_open();
}
#define world_start(steps) \
	world_start_as(steps, sizeof(steps) / sizeof(*(steps)), WORLD_BY_KEY, NULL)

RV_UNUSED static void world_stop(void)
{
	rv_snowflake_free_p(&w.snowflake);
	rv_http_free_p(&w.http);
	server_stop(&w.server);
	if (*w.wrong)
		fail_msg("%s", w.wrong);
	if (!w.last_repeats)
		assert_int_equal(atomic_load(&w.next), w.count);
	/* Whatever happened: no token, and no key. */
	assert_null(strstr(w.trace.bytes, "eyJ"));
	rv_strbuf_release(&w.trace);
	server_release(&w.server);
}

RV_UNUSED static void says(const char *message, const char *hint)
{
	if (!strstr(err.message, message) || (hint && !strstr(err.hint, hint)))
		fail_msg("'%s' (%s) does not say '%s' (%s)", err.message, err.hint, message,
			 hint ? hint : "");
}

static void world_clear_environment(void)
{
	extern char **environ;
	char name[256];

	for (char **p = environ; *p;) {
		if (strncmp(*p, "SNOWFLAKE_", 10) != 0 && strncmp(*p, "PRIVATE_KEY_", 12) != 0 &&
		    strncmp(*p, "SF_", 3) != 0 && strncmp(*p, "XDG_", 4) != 0) {
			p++;
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*p, "="), *p);
		unsetenv(name);
		p = environ;
	}
}

RV_UNUSED static int world_setup(void **state)
{
	http_world_setup(state);
	world_clear_environment();
	strcpy(w.home, "/tmp/river-snowflake-XXXXXX");
	if (!mkdtemp(w.home))
		return 1;
	setenv("HOME", w.home, 1);
	w.key = rsa_generate("RSA", 2048);
	world_key_file("rsa_key.p8", w.key, RSA_PKCS8);
	return 0;
}

RV_UNUSED static int world_teardown(void **state RV_UNUSED)
{
	struct rv_error e = RV_ERROR_INIT;

	rsa_free(w.key);
	return rv_remove_tree(w.home, &e) == RV_OK ? 0 : 1;
}

#endif
