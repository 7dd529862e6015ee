/*
 * Sources of credentials that misbehave: gone for a while, giving what is over already, silent, with
 * another idea of the time. What matters is that runs go on, and that nobody is asked with every request.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "aws/client.h"
#include "aws/credentials_impl.h"
#include "base/clock.h"
#include "base/file.h"
#include "http_world.h"

#define HOUR_MS (3600 * INT64_C(1000))

/* How the next requests are answered. */
enum mood { GOOD, SILENT, GONE };
struct world {
	struct server server;
	struct rv_http *http;
	struct rv_aws_settings *settings;
	struct rv_aws_chain *chain;
	char root[64];
	atomic_int mood, token_mood; /* of all; of IMDSv2's token alone */
	atomic_int instance_status;  /* of all of the instance's metadata; 0: 200 */
	atomic_int serial;           /* the number in the credentials that are given */
	_Atomic int64_t life_ms;
	_Atomic int64_t clock_ms;    /* STS: its clock is so far ahead, and it is strict */
	atomic_uint given, tokens, refused;
};

static void say_json(struct peer *peer, struct world *w)
{
	char until[RV_TIME_TEXT];
	int n = atomic_load(&w->serial);
	rv_format_time(rv_clock_ms() + atomic_load(&w->life_ms), until);
	RV_CLEANUP(rv_free_p)
	char *body = rv_asprintf("{\"AccessKeyId\":\"ASIA%d\",\"SecretAccessKey\":\"very-secret\","
				 "\"Token\":\"t%d\",\"Expiration\":\"%s\"}", n, n, until);
	atomic_fetch_add(&w->given, 1);
	peer_answer(peer, 200, "", body);
}

/* Takes what was signed within five minutes of its own clock, as STS does. */
static void say_role(struct peer *peer, struct world *w)
{
	static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t now_ms = rv_clock_ms() + atomic_load(&w->clock_ms), signed_ms;
	struct rv_date d;
	char text[RV_TIME_TEXT], until[RV_TIME_TEXT], field[64];
	const char *s = strcasestr(peer->head.bytes, "\r\nX-Amz-Date: ");
	snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT%.2s:%.2s:%.2sZ", s + 14, s + 18, s + 20, s + 23,
		 s + 25, s + 27);
	rv_date_from_ms(now_ms, &d);
	snprintf(field, sizeof(field), "Date: Mon, %02u %s %04u %02u:%02u:%02u GMT\r\n", d.day % 100,
		 months[(d.month - 1) % 12], (unsigned)d.year % 10000, d.hour % 100, d.minute % 100,
		 d.second % 100);
	if (!rv_parse_time(text, strlen(text), &signed_ms) || signed_ms < now_ms - 300000 ||
	    signed_ms > now_ms + 300000) {
		atomic_fetch_add(&w->refused, 1);
		peer_answer(peer, 403, field,
			    "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature "
			    "expired</Message></Error></ErrorResponse>");
		return;
	}
	rv_format_time(now_ms + HOUR_MS, until);
	RV_CLEANUP(rv_free_p)
	char *body = rv_asprintf("<A><B><Credentials><AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s"
				 "</SecretAccessKey><SessionToken>t</SessionToken><Expiration>%s"
				 "</Expiration></Credentials></B></A>", until);
	peer_answer(peer, 200, field, body);
}

static bool asks_for(const struct peer *peer, const char *start)
{
	return strncmp(peer->head.bytes, start, strlen(start)) == 0;
}

static void play(struct peer *peer)
{
	static const char folder[] = "GET /latest/meta-data/iam/security-credentials/";
	struct world *w = peer->server->arg;
	while (peer_read(peer)) {
		int mood = atomic_load(&w->mood), status = atomic_load(&w->instance_status);
		bool token = asks_for(peer, "PUT /latest/api/token ");
		atomic_fetch_add(&w->tokens, token);
		if (token && mood == GOOD)
			mood = atomic_load(&w->token_mood);
		if (mood == SILENT) {
			peer_sleep(peer);
			return;
		}
		if (mood == GONE)
			return;
		if (status && strstr(peer->head.bytes, " /latest/"))
			peer_answer(peer, status, "", "no");
		else if (token)
			peer_answer(peer, 200, "", "imds-token");
		else if (asks_for(peer, folder) && peer->head.bytes[strlen(folder)] == ' ')
			peer_answer(peer, 200, "", "my-role");
		else if (asks_for(peer, "GET /refused "))
			peer_answer(peer, 200, "", "{\"Code\":\"AssumeRoleUnauthorizedAccess\","
						   "\"Message\":\"EC2 cannot assume the role\"}");
		else if (asks_for(peer, folder) || asks_for(peer, "GET /container "))
			say_json(peer, w);
		else if (asks_for(peer, "GET /latest/meta-data/placement/region "))
			peer_answer(peer, 200, "", "eu-north-1");
		else
			say_role(peer, w);
	}
}

static int set_up(void **state)
{
	extern char **environ;
	struct world *w = rv_calloc(1, sizeof(*w));
	http_world_setup(state);
	for (char **p = environ; *p;) {
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(*p, strcspn(*p, "="));
		if (strncmp(name, "AWS_", 4) == 0)
			unsetenv(name);
		else
			p++;
	}
	snprintf(w->root, sizeof(w->root), "/tmp/river-test-credentials-XXXXXX");
	assert_non_null(mkdtemp(w->root));
	setenv("HOME", w->root, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_METADATA_SERVICE_TIMEOUT", "60", 1); /* who answers may take its time */
	atomic_store(&w->serial, 1);
	atomic_store(&w->life_ms, HOUR_MS);
	server_start(&w->server, play, w);
	w->http = rv_http_new(&(struct rv_http_params){ .ca_file = NULL });
	*state = w;
	return 0;
}

static void close_chain(struct world *w)
{
	rv_aws_chain_free_p(&w->chain);
	rv_aws_settings_free_p(&w->settings);
}

static int tear_down(void **state)
{
	struct world *w = *state;
	struct rv_error err = RV_ERROR_INIT;
	close_chain(w);
	rv_http_free(w->http);
	server_stop(&w->server);
	server_release(&w->server);
	assert_int_equal(rv_remove_tree(w->root, &err), RV_OK);
	free(w);
	return 0;
}

static void write_config(const struct world *w, const char *text)
{
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/config", w->root);
	assert_int_equal(rv_replace_file(path, text, strlen(text), 0600, &err), RV_OK);
	setenv("AWS_CONFIG_FILE", path, 1);
}

static void open_chain(struct world *w)
{
	struct rv_error err = RV_ERROR_INIT;
	static const struct rv_aws_settings_params none;
	close_chain(w);
	if (rv_aws_settings_load(&none, &w->settings, &err) != RV_OK)
		fail_msg("%s", err.message);
	w->chain = rv_aws_chain_new(w->settings, w->http);
}

static void use_container(const struct world *w, const char *path)
{
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s%s", w->server.url, path);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
}

static void use_instance(const struct world *w)
{
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", w->server.url, 1);
	unsetenv("AWS_EC2_METADATA_DISABLED");
}

static void gives_later(struct world *w, int64_t later_ms, const char *id)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	if (rv_aws_chain_get(w->chain, later_ms, &got, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(got.access_key_id, id);
	rv_aws_credentials_release(&got);
}

static struct rv_error refuses_later(struct world *w, int64_t later_ms, const char *says)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	assert_int_equal(rv_aws_chain_get(w->chain, later_ms, &got, &err), RV_AUTH);
	if (!strstr(err.message, says))
		fail_msg("%s", err.message);
	assert_null(strstr(err.message, "very-secret"));
	assert_null(got.access_key_id);
	return err;
}

/* Credentials that were over when they came may be good: the clock here may be wrong. */
static void test_over_already(void **state)
{
	struct world *w = *state;
	use_container(w, "/container");
	atomic_store(&w->life_ms, -2 * HOUR_MS);
	open_chain(w);
	for (int i = 0; i < 20; i++)
		gives_later(w, 0, "ASIA1");
	assert_int_equal(atomic_load(&w->given), 1);
	/* A minute later others are asked for. */
	atomic_store(&w->serial, 2);
	gives_later(w, 61000, "ASIA2");
	assert_int_equal(atomic_load(&w->given), 2);
}

/* A source that gives the refused ones again is not asked with every request. */
static void test_same_again(void **state)
{
	struct world *w = *state;
	struct rv_aws_credentials used = { .access_key_id = (char *)(uintptr_t)"ASIA1",
					   .secret_access_key = (char *)(uintptr_t)"very-secret",
					   .session_token = (char *)(uintptr_t)"t1" };
	use_container(w, "/container");
	open_chain(w);
	gives_later(w, 0, "ASIA1");
	assert_false(rv_aws_chain_renew(w->chain, 0, &used, true));
	gives_later(w, 0, "ASIA1");
	assert_int_equal(atomic_load(&w->given), 2);
	for (int i = 0; i < 5; i++) {
		assert_false(rv_aws_chain_renew(w->chain, 0, &used, true));
		gives_later(w, 0, "ASIA1");
	}
	assert_int_equal(atomic_load(&w->given), 2);
	/* What somebody else had fetched already is not fetched again. */
	used.session_token = (char *)(uintptr_t)"t0";
	assert_true(rv_aws_chain_renew(w->chain, 0, &used, true));
	gives_later(w, 0, "ASIA1");
	assert_int_equal(atomic_load(&w->given), 2);
}

/* A source that fails is asked once, not once a request, while there are valid ones. */
static void test_failed_refresh(void **state)
{
	struct world *w = *state;
	use_instance(w);
	open_chain(w);
	gives_later(w, 0, "ASIA1");
	unsigned before = atomic_load(&w->tokens);
	atomic_store(&w->instance_status, 500);
	for (int i = 0; i < 5; i++)
		gives_later(w, HOUR_MS - 60000, "ASIA1");
	assert_int_equal(atomic_load(&w->tokens), before + 1);
	/* Over, and the source is still away: that passes. */
	struct rv_error err = refuses_later(w, HOUR_MS + 60000, "answer 500");
	assert_true(err.transient);
	assert_int_equal(atomic_load(&w->tokens), before + 1);
}

/* Elsewhere than on EC2 something may answer as well, and it is asked when all else had nothing. */
static void test_instance_refuses(void **state)
{
	struct world *w = *state;
	use_instance(w);
	open_chain(w);
	atomic_store(&w->instance_status, 403);
	struct rv_error err = refuses_later(w, 0, "answer 403");
	assert_non_null(strstr(err.hint, "EC2 is asked last"));
}

/* Metadata that nothing answers for means no EC2 at first, and an outage later. */
static void test_instance_goes_away(void **state)
{
	struct world *w = *state;
	use_instance(w);
	open_chain(w);
	gives_later(w, 0, "ASIA1");
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	struct rv_error err = refuses_later(w, 2 * HOUR_MS, "no AWS credentials");
	assert_true(err.transient);
	open_chain(w);
	err = refuses_later(w, 0, "no AWS credentials");
	assert_false(err.transient);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	atomic_store(&w->mood, GONE);
	open_chain(w);
	err = refuses_later(w, 0, "EC2's instance metadata");
	assert_true(err.transient);
}

/* In a container on EC2 the answer to the token's request does not get through. */
static void test_instance_without_token(void **state)
{
	struct world *w = *state;
	use_instance(w);
	setenv("AWS_METADATA_SERVICE_TIMEOUT", "3", 1);
	atomic_store(&w->token_mood, SILENT);
	open_chain(w);
	gives_later(w, 0, "ASIA1");
	pthread_mutex_lock(&w->server.mutex);
	assert_null(strcasestr(w->server.last_head.bytes, "X-aws-ec2-metadata-token"));
	pthread_mutex_unlock(&w->server.mutex);
	setenv("AWS_EC2_METADATA_V1_DISABLED", "true", 1);
	open_chain(w);
	assert_true(refuses_later(w, 0, "EC2's instance metadata").transient);
	unsetenv("AWS_EC2_METADATA_V1_DISABLED");
	write_config(w, "[default]\nec2_metadata_v1_disabled = true\n");
	open_chain(w);
	refuses_later(w, 0, "EC2's instance metadata");
}

static void test_refusal_in_200(void **state)
{
	struct world *w = *state;
	use_container(w, "/refused");
	open_chain(w);
	refuses_later(w, 0, "AssumeRoleUnauthorizedAccess: EC2 cannot assume the role");
}

/* A clock that is wrong here is no reason to be without a role. */
static void test_skewed_clock(void **state)
{
	static const int64_t clocks_ms[] = { 20 * 60000, -3 * HOUR_MS, 0 };
	struct world *w = *state;
	setenv("AWS_ENDPOINT_URL_STS", w->server.url, 1);
	write_config(w, "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = keys\n"
			"[profile keys]\naws_access_key_id = AKIA1\naws_secret_access_key = very-secret\n");
	for (size_t i = 0; i < 3; i++) {
		atomic_store(&w->clock_ms, clocks_ms[i]);
		atomic_store(&w->refused, 0);
		open_chain(w);
		gives_later(w, 0, "ASIAROLE");
		assert_int_equal(atomic_load(&w->refused), clocks_ms[i] != 0);
	}
	/* The Authorization names STS and the region, and signs the type of the form. */
	pthread_mutex_lock(&w->server.mutex);
	assert_non_null(strstr(w->server.last_head.bytes, "/us-east-1/sts/aws4_request, "
							  "SignedHeaders=content-type;host;x-amz-date, "));
	pthread_mutex_unlock(&w->server.mutex);
}

/* A name that somebody took stays readable when the source changes. */
static void test_source_changes(void **state)
{
	struct world *w = *state;
	use_container(w, "/container");
	open_chain(w);
	assert_string_equal(rv_aws_chain_source(w->chain), "none");
	gives_later(w, 0, "ASIA1");
	const char *first = rv_aws_chain_source(w->chain);
	assert_string_equal(first, "container: container at 127.0.0.1");
	gives_later(w, HOUR_MS, "ASIA1");
	assert_ptr_equal(rv_aws_chain_source(w->chain), first);
	setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "very-secret", 1);
	gives_later(w, 3 * HOUR_MS, "AKIAIOSFODNN7EXAMPLE");
	assert_string_equal(rv_aws_chain_source(w->chain), "environment: key AKIA...MPLE");
	assert_string_equal(first, "container: container at 127.0.0.1");
}

/* The region of the machine counts where nothing else says one. */
static void test_instance_region(void **state)
{
	struct world *w = *state;
	struct rv_error err = RV_ERROR_INIT;
	static const struct rv_aws_settings_params none;
	static const struct rv_http_params plain;
	struct rv_aws *aws = NULL;
	const char *region;
	use_instance(w);
	assert_int_equal(rv_aws_new(&none, &plain, &aws, &err), RV_OK);
	assert_int_equal(rv_aws_region(aws->settings, &region, &err), RV_OK);
	assert_string_equal(region, "eu-north-1");
	assert_string_equal(aws->settings->region_origin, "EC2's instance metadata");
	rv_aws_free_p(&aws);
	unsigned asked = atomic_load(&w->tokens);

	setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", 1);
	assert_int_equal(rv_aws_new(&none, &plain, &aws, &err), RV_OK);
	assert_null(aws->settings->region);
	rv_aws_free_p(&aws);
	unsetenv("AWS_ENDPOINT_URL_S3");
	setenv("AWS_REGION", "eu-west-1", 1);
	assert_int_equal(rv_aws_new(&none, &plain, &aws, &err), RV_OK);
	assert_string_equal(aws->settings->region, "eu-west-1");
	rv_aws_free_p(&aws);
	assert_int_equal(atomic_load(&w->tokens), asked);

	unsetenv("AWS_REGION");
	atomic_store(&w->instance_status, 404);
	assert_int_equal(rv_aws_new(&none, &plain, &aws, &err), RV_OK);
	assert_int_equal(rv_aws_region(aws->settings, &region, &err), RV_BAD_CONFIG);
	rv_aws_free_p(&aws);
}

static void test_explained_failure(void **state)
{
	struct world *w = *state;
	setenv("AWS_SECRET_ACCESS_KEY", "very-secret", 1);
	open_chain(w);
	json_t *list = rv_aws_chain_explain(w->chain);
	const json_t *first = json_array_get(list, 0), *second = json_array_get(list, 1);
	assert_string_equal(json_string_value(json_object_get(first, "state")), "failed");
	assert_string_equal(json_string_value(json_object_get(first, "hint")),
			    "set both, or neither");
	assert_string_equal(json_string_value(json_object_get(second, "state")), "not reached");
	assert_null(json_object_get(second, "hint"));
	json_decref(list);
}

static void test_explained_whatever_the_bytes(void **state)
{
	struct world *w = *state;
	setenv("AWS_CONFIG_FILE", "/nonexistent/caf\xe9", 1);
	open_chain(w);
	json_t *list = rv_aws_chain_explain(w->chain);
	assert_int_equal(json_array_size(list), 5);
	const char *detail = json_string_value(json_object_get(json_array_get(list, 1), "detail"));
	assert_non_null(detail);
	assert_non_null(strstr(detail, "caf?"));
	json_decref(list);
	unsetenv("AWS_CONFIG_FILE");
}

/* ---- programs ---- */
/* Where the machine is too busy for the program to come as far as it should, it gets longer. */
static void run_fails(const char *command, const char *says)
{
	for (int64_t timeout_ms = 50;; timeout_ms *= 4) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_aws_credentials got = { 0 };
		assert_int_equal(rv_aws_run_process("p", command, timeout_ms, &got, &err), RV_AUTH);
		assert_true(err.transient);
		if (strstr(err.message, says))
			return;
		if (timeout_ms > 30000)
			fail_msg("%s", err.message);
	}
}

static void test_program_hangs(void **state RV_UNUSED)
{
	run_fails("sleep 600", "sleep takes too long: it has not said all yet");
	run_fails("sh -c 'exec >&-; exec sleep 600'", "sh takes too long: it has said all, but does not end");
}

/* It has no part of river's input, and may live on for a moment after its last word. */
static void test_program_input(void **state RV_UNUSED)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	static const char command[] =
		"sh -c 'cat; printf %s \"$1\"; exec >&-; sleep 0.1' x "
		"'{\"Version\":1,\"AccessKeyId\":\"AKIA1\",\"SecretAccessKey\":\"s\"}'";
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "records", 7), 7);
	int saved = dup(0);
	assert_int_equal(dup2(ends[0], 0), 0);
	enum rv_status status = rv_aws_run_process("p", command, 60000, &got, &err);
	dup2(saved, 0);
	close(saved);
	close(ends[0]);
	close(ends[1]);
	if (status != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(got.access_key_id, "AKIA1");
	assert_true(got.expires_ms == INT64_MAX);
	rv_aws_credentials_release(&got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_over_already),
		TEST(test_same_again),
		TEST(test_failed_refresh),
		TEST(test_instance_refuses),
		TEST(test_instance_goes_away),
		TEST(test_instance_without_token),
		TEST(test_refusal_in_200),
		TEST(test_skewed_clock),
		TEST(test_source_changes),
		TEST(test_instance_region),
		TEST(test_explained_failure),
		TEST(test_explained_whatever_the_bytes),
		cmocka_unit_test(test_program_hangs),
		cmocka_unit_test(test_program_input),
	};
	return cmocka_run_group_tests_name("aws_credentials_faults", tests, NULL, NULL);
}
