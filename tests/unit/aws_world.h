/*
 * A service that answers by a list: each request takes the next step, which says what the request has
 * to look like and what it is answered. One request at a time. The test asserts after world_stop.
 */
#ifndef RV_TESTS_UNIT_AWS_WORLD_H
#define RV_TESTS_UNIT_AWS_WORLD_H

#include "http_world.h"

#include "aws/client.h"

struct step {
	const char *begins;   /* of the head: "PUT /b/k HTTP/1.1\r\n" */
	const char *has;      /* Optional: somewhere in the head, letters of either case */
	const char *has_not;  /* Optional */
	int status;           /* 0: the connection is closed, -1: it is when half of the body was sent */
	const char *fields;   /* Optional: "ETag: \"x\"\r\n" */
	const char *body;     /* Optional */
	int64_t length;       /* of a HEAD's answer */
};

struct world {
	struct server server;
	const struct step *steps;
	size_t count;
	atomic_size_t next;
	char wrong[1024];      /* the first thing that was not as it should be */
	struct rv_aws *aws;
	struct rv_strbuf trace;
	struct rv_strbuf last; /* head of the last request */
};

RV_UNUSED static void world_script(struct peer *peer)
{
	struct world *w = peer->server->arg;

	while (peer_read(peer)) {
		size_t i = atomic_fetch_add(&w->next, 1);
		const struct step *step = &w->steps[i];
		const char *head = peer->head.bytes;

		if (i >= w->count) {
			if (!*w->wrong)
				snprintf(w->wrong, sizeof(w->wrong), "one request too many: %.300s", head);
			return;
		}
		if (!*w->wrong &&
		    (strncmp(head, step->begins, strlen(step->begins)) != 0 ||
		     (step->has && !strcasestr(head, step->has)) ||
		     (step->has_not && strcasestr(head, step->has_not))))
			snprintf(w->wrong, sizeof(w->wrong), "step %zu wants '%s' with '%s' without '%s': %.700s",
				 i + 1, step->begins, step->has ? step->has : "",
				 step->has_not ? step->has_not : "", head);
		const char *fields = step->fields ? step->fields : "";
		const char *body = step->body ? step->body : "";
		size_t len = strlen(body);
		if (step->status == 0)
			return;
		if (strncmp(head, "HEAD ", 5) == 0 || step->status == 204) {
			RV_CLEANUP(rv_free_p) char *text = rv_asprintf(
				"HTTP/1.1 %d Text\r\n%sContent-Length: %lld\r\n\r\n", step->status, fields,
				(long long)step->length);
			if (!peer_say(peer, text))
				return;
		} else if (step->status < 0) {
			RV_CLEANUP(rv_free_p) char *text = rv_asprintf(
				"HTTP/1.1 %d Text\r\n%sContent-Length: %zu\r\n\r\n%.*s", -step->status,
				fields, len, (int)(len / 2), body);
			peer_say(peer, text);
			return;
		} else if (!peer_answer(peer, step->status, fields, body)) {
			return;
		}
	}
}

RV_UNUSED static void world_trace(void *arg, const char *line)
{
	rv_strbuf_printf(arg, "%s\n", line);
}

/* Keys and a region of the environment; everything else of AWS is not there. */
RV_UNUSED static void world_environment(void)
{
	static const char *const names[] = {
		"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_FIREHOSE", "AWS_CA_BUNDLE",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_DEFAULT_PROFILE",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		unsetenv(names[i]);
	setenv("AWS_CONFIG_FILE", "/nonexistent/config", 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent/credentials", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 1);
	setenv("AWS_REGION", "us-east-1", 1);
}

/* `endpoint` NULL: the world's own server. */
RV_UNUSED static void world_start(struct world *w, const struct step *steps, size_t count)
{
	struct rv_error err = RV_ERROR_INIT;

	*w = (struct world){ .steps = steps, .count = count, .trace = RV_STRBUF_INIT,
			     .last = RV_STRBUF_INIT };
	server_start(&w->server, world_script, w);
	const struct rv_aws_settings_params settings = { .endpoint_url = w->server.url };
	const struct rv_http_params http = { .trace = world_trace, .trace_arg = &w->trace };
	if (rv_aws_new(&settings, &http, &w->aws, &err) != RV_OK)
		fail_msg("%s", err.message);
}
#define WORLD(w, steps) world_start(w, steps, sizeof(steps) / sizeof((steps)[0]))

/* Everything was asked as it should be, and no step is left. */
RV_UNUSED static void world_stop(struct world *w)
{
	rv_aws_free_p(&w->aws);
	server_stop(&w->server);
	server_release(&w->server);
	rv_strbuf_release(&w->trace);
	rv_strbuf_release(&w->last);
	if (*w->wrong)
		fail_msg("%s", w->wrong);
	assert_int_equal(atomic_load(&w->next), w->count);
}

#endif
