/* The chain of credentials: which source decides, what each of them refuses, and when they are
 * fetched again. STS, SSO, container and instance metadata are played by one small server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/file.h"
#include "http_world.h"

struct world {
	struct server server;
	struct rv_http *http;
	struct rv_aws_settings *settings;
	struct rv_aws_chain *chain;
	char home[64];
	/* What the server does. */
	atomic_int life_s;      /* of what it gives out; 0: no Expiration */
	atomic_int status;      /* of its answers; 0: 200 */
	atomic_uint given;      /* serial number of the last credentials */
	atomic_int token_status; /* of IMDSv2's token; 0: 200 */
	const char *error;      /* STS: this code instead of a role */
	char renewed_elsewhere[64]; /* SSO: this file, while a token is asked for; "": not */
	char last_form[4096];
};
static void write_file(const struct world *w, const char *name, const char *text);

static void expiration(const struct world *w, char text[RV_TIME_TEXT])
{
	rv_format_time(rv_clock_ms() + atomic_load(&w->life_s) * INT64_C(1000), text);
}

static void answer_json(struct peer *peer, struct world *w)
{
	char until[RV_TIME_TEXT] = "";
	unsigned n = atomic_fetch_add(&w->given, 1) + 1;
	if (atomic_load(&w->life_s))
		expiration(w, until);
	RV_CLEANUP(rv_free_p)
	char *body = rv_asprintf("{\"Code\":\"Success\",\"AccessKeyId\":\"ASIA%u\",\"SecretAccessKey\":\"s%u\","
				 "\"Token\":\"t%u\"%s%s%s}",
				 n, n, n, *until ? ",\"Expiration\":\"" : "", until, *until ? "\"" : "");
	peer_answer(peer, 200, "", body);
}

static void answer_sts(struct peer *peer, struct world *w)
{
	if (w->error) {
		RV_CLEANUP(rv_free_p)
		char *body = rv_asprintf("<ErrorResponse><Error><Code>%s</Code><Message>no</Message></Error>"
					 "</ErrorResponse>", w->error);
		peer_answer(peer, 403, "", body);
		return;
	}
	char until[RV_TIME_TEXT];
	unsigned n = atomic_fetch_add(&w->given, 1) + 1;
	atomic_store(&w->life_s, 3600);
	expiration(w, until);
	RV_CLEANUP(rv_free_p)
	char *body = rv_asprintf("<R xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Result><Credentials>"
				 "<AccessKeyId>ASIA%u</AccessKeyId><SecretAccessKey>s%u</SecretAccessKey>"
				 "<SessionToken>t%u</SessionToken><Expiration>%s</Expiration>"
				 "</Credentials></Result></R>", n, n, n, until);
	peer_answer(peer, 200, "", body);
}

static bool asks_for(const struct peer *peer, const char *start)
{
	return strncmp(peer->head.bytes, start, strlen(start)) == 0;
}

static void play(struct peer *peer)
{
	struct world *w = peer->server->arg;
	while (peer_read(peer)) {
		int status = atomic_load(&w->status);
		if (status) {
			peer_answer(peer, status, "", "no");
		} else if (asks_for(peer, "PUT /latest/api/token ")) {
			int token = atomic_load(&w->token_status);
			peer_answer(peer, token ? token : 200, "", token ? "" : "imds-token");
		} else if (asks_for(peer, "GET /latest/meta-data/iam/security-credentials/ ")) {
			peer_answer(peer, 200, "", "my role");
		} else if (asks_for(peer, "GET /latest/meta-data/iam/security-credentials/my%20role ") ||
			   asks_for(peer, "GET /container ")) {
			answer_json(peer, w);
		} else if (asks_for(peer, "POST / ")) {
			snprintf(w->last_form, sizeof(w->last_form), "%s", peer->body.bytes);
			answer_sts(peer, w);
		} else if (asks_for(peer, "POST /token ") && *w->renewed_elsewhere) {
			write_file(w, w->renewed_elsewhere, "{\"accessToken\":\"renewed\","
							    "\"expiresAt\":\"2099-01-01T00:00:00Z\"}");
			peer_answer(peer, 400, "", "{\"error\":\"invalid_grant\"}");
		} else if (asks_for(peer, "POST /token ")) {
			peer_answer(peer, 200, "", "{\"accessToken\":\"renewed\",\"expiresIn\":3600,"
						  "\"refreshToken\":\"next\"}");
		} else if (asks_for(peer, "GET /federation/credentials?")) {
			bool renewed = strstr(peer->head.bytes, "x-amz-sso_bearer_token: renewed") != NULL;
			RV_CLEANUP(rv_free_p)
			char *body = rv_asprintf("{\"roleCredentials\":{\"accessKeyId\":\"ASIASSO%d\","
						 "\"secretAccessKey\":\"s\",\"sessionToken\":\"t\","
						 "\"expiration\":%lld}}", renewed,
						 (long long)rv_clock_ms() + 3600000);
			peer_answer(peer, 200, "", body);
		} else {
			peer_answer(peer, 404, "", "");
		}
	}
}

static void clean_environment(void)
{
	extern char **environ;
	for (;;) {
		char **p = environ;
		while (*p && strncmp(*p, "AWS_", 4) != 0)
			p++;
		if (!*p)
			return;
		RV_CLEANUP(rv_free_p) char *name = rv_strndup(*p, strcspn(*p, "="));
		unsetenv(name);
	}
}

static int set_up(void **state)
{
	struct world *w = rv_calloc(1, sizeof(*w));
	http_world_setup(state);
	clean_environment();
	snprintf(w->home, sizeof(w->home), "/tmp/river-credentials-XXXXXX");
	assert_non_null(mkdtemp(w->home));
	setenv("HOME", w->home, 1);
	setenv("AWS_REGION", "eu-west-1", 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	setenv("AWS_METADATA_SERVICE_TIMEOUT", "60", 1); /* who answers may take its time */
	server_start(&w->server, play, w);
	setenv("AWS_ENDPOINT_URL_STS", w->server.url, 1);
	setenv("AWS_ENDPOINT_URL_SSO", w->server.url, 1);
	setenv("AWS_ENDPOINT_URL_SSO_OIDC", w->server.url, 1);
	const struct rv_http_params params = { .ca_file = NULL };
	w->http = rv_http_new(&params);
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
	close_chain(w);
	rv_http_free(w->http);
	server_stop(&w->server);
	server_release(&w->server);
	RV_CLEANUP(rv_free_p) char *remove = rv_asprintf("rm -rf '%s'", w->home);
	assert_int_equal(system(remove), 0);
	free(w);
	return 0;
}

static void write_file(const struct world *w, const char *name, const char *text)
{
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/%s", w->home, name);
	for (char *p = strchr(path + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(path, 0700);
		*p = '/';
	}
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void open_chain(struct world *w, const char *profile)
{
	struct rv_error err = RV_ERROR_INIT;
	const struct rv_aws_settings_params params = { .profile = profile };
	close_chain(w);
	if (rv_aws_settings_load(&params, &w->settings, &err) != RV_OK)
		fail_msg("%s", err.message);
	w->chain = rv_aws_chain_new(w->settings, w->http);
}

static void use_container(const struct world *w);

static void gives(struct world *w, const char *id, const char *token)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	if (rv_aws_chain_get(w->chain, 0, &got, &err) != RV_OK)
		fail_msg("%s", err.message);
	assert_string_equal(got.access_key_id, id);
	if (token)
		assert_string_equal(got.session_token, token);
	else
		assert_null(got.session_token);
	rv_aws_credentials_release(&got);
}

static void refuses_hint(struct world *w, const char *what, const char *hint)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	assert_int_equal(rv_aws_chain_get(w->chain, 0, &got, &err), RV_AUTH);
	if (!strstr(err.message, what) || (hint && !strstr(err.hint, hint)))
		fail_msg("'%s' (%s) is not said in: %s (%s)", what, hint, err.message, err.hint);
	assert_null(strstr(err.message, "very-secret"));
}

static void refuses(struct world *w, const char *what)
{
	refuses_hint(w, what, NULL);
}

static void test_environment(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = AKIAFILE\n"
					  "aws_secret_access_key = s\n");
	setenv("AWS_ACCESS_KEY_ID", "AKIAENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "very-secret", 1);
	open_chain(w, NULL);
	gives(w, "AKIAENV", NULL);
	setenv("AWS_SECURITY_TOKEN", "old", 1);
	open_chain(w, NULL);
	gives(w, "AKIAENV", "old");
	setenv("AWS_SESSION_TOKEN", "new", 1);
	open_chain(w, NULL);
	gives(w, "AKIAENV", "new");
	/* A profile that river's own profile names is meant. */
	open_chain(w, "default");
	gives(w, "AKIAFILE", NULL);
	/* Half a pair is a mistake, not a reason to look further; an empty variable is none. */
	setenv("AWS_ACCESS_KEY_ID", "", 1);
	open_chain(w, NULL);
	refuses(w, "the environment has a secret access key without its access key id");
	unsetenv("AWS_SECRET_ACCESS_KEY");
	open_chain(w, NULL);
	gives(w, "AKIAFILE", NULL);
}

static void test_nothing(void **state)
{
	struct world *w = *state;
	open_chain(w, NULL);
	refuses_hint(w, "no AWS credentials", "aws configure");
	struct rv_aws_credentials used = { .access_key_id = (char *)(uintptr_t)"x" };
	assert_false(rv_aws_chain_renew(w->chain, 0, &used, true));
}

static void test_keys_of_a_profile(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/credentials", "[half]\naws_access_key_id = AKIAHALF\n"
					  "[full]\naws_access_key_id = AKIAFULL\n"
					  "aws_secret_access_key = s\naws_session_token = t\n");
	write_file(w, ".aws/config", "[profile half]\naws_secret_access_key = very-secret\n"
				     "[profile full]\ncredential_process = /bin/false\n"
				     "[profile only]\naws_access_key_id = AKIAONLY\n"
				     "aws_secret_access_key = s\n[profile none]\nregion = eu-west-3\n");
	open_chain(w, "full");
	gives(w, "AKIAFULL", "t");
	open_chain(w, "only");
	gives(w, "AKIAONLY", NULL);
	/* The other half stands in the other file: nobody wrote that pair. */
	open_chain(w, "half");
	refuses(w, "has an access key id without its secret access key");
	open_chain(w, "none");
	refuses_hint(w, "no AWS credentials: the environment is not looked at", "aws configure --profile none");
	/* Keys that were refused, and stand there still: there are no others. */
	open_chain(w, "only");
	struct rv_aws_credentials used = { .access_key_id = (char *)(uintptr_t)"AKIAONLY",
					   .secret_access_key = (char *)(uintptr_t)"s" };
	gives(w, "AKIAONLY", NULL);
	assert_false(rv_aws_chain_renew(w->chain, 0, &used, false));
	gives(w, "AKIAONLY", NULL);
}

/* Refuses what the chain gives now. */
static bool renews(struct world *w)
{
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials used = { 0 };
	if (rv_aws_chain_get(w->chain, 0, &used, &err) != RV_OK)
		fail_msg("%s", err.message);
	bool others = rv_aws_chain_renew(w->chain, 0, &used, false);
	rv_aws_credentials_release(&used);
	return others;
}

/* Another tool rotates the keys of the file while river runs. */
static void test_keys_are_rotated(void **state)
{
	struct world *w = *state;
	use_container(w); /* is somebody else */
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = AKIA1\n"
					  "aws_secret_access_key = s\n");
	open_chain(w, NULL);
	gives(w, "AKIA1", NULL);
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = ASIA2\n"
					  "aws_secret_access_key = s\naws_session_token = t\n");
	gives(w, "AKIA1", NULL);
	assert_true(renews(w));
	gives(w, "ASIA2", "t");
	/* The same key with another secret is another pair. */
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = ASIA2\n"
					  "aws_secret_access_key = other\naws_session_token = t\n");
	assert_true(renews(w));
	/* A file that is being written: what was read before counts, and nobody else's. */
	static const char *const halves[] = { "", "[default", "[other]\nregion = x\n" };
	for (size_t i = 0; i < sizeof(halves) / sizeof(*halves); i++) {
		write_file(w, ".aws/credentials", "[default]\naws_access_key_id = AKIA3\n"
						  "aws_secret_access_key = s\n");
		open_chain(w, NULL);
		gives(w, "AKIA3", NULL);
		write_file(w, ".aws/credentials", halves[i]);
		assert_false(renews(w));
		gives(w, "AKIA3", NULL);
	}
	/* Keys that are gone from a profile that is there are away. */
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = AKIA4\n"
					  "aws_secret_access_key = s\n");
	open_chain(w, NULL);
	gives(w, "AKIA4", NULL);
	write_file(w, ".aws/credentials", "[default]\n");
	assert_true(renews(w));
	refuses(w, "no AWS credentials");
	assert_int_equal(atomic_load(&w->given), 0);
}

/* The keys that a role is taken with are read anew each time. */
static void test_keys_of_a_role_are_rotated(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/config", "[profile r]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = k\n");
	write_file(w, ".aws/credentials", "[k]\naws_access_key_id = AKIA1\naws_secret_access_key = s\n");
	open_chain(w, "r");
	gives(w, "ASIA1", "t1");
	write_file(w, ".aws/credentials", "[k]\naws_access_key_id = AKIA2\naws_secret_access_key = s\n");
	assert_true(renews(w));
	gives(w, "ASIA2", "t2");
	pthread_mutex_lock(&w->server.mutex);
	assert_non_null(strstr(w->server.last_head.bytes, "Credential=AKIA2/"));
	pthread_mutex_unlock(&w->server.mutex);
}

static void test_process(void **state)
{
	struct world *w = *state;
	write_file(w, "good.json", "{\"Version\":1,\"AccessKeyId\":\"ASIAP\",\"SecretAccessKey\":\"s\","
				   "\"SessionToken\":\"t\",\"Expiration\":\"2099-01-01T00:00:00.5+00:00\"}");
	write_file(w, "two words.json", "{\"Version\":1,\"AccessKeyId\":\"ASIAQ\",\"SecretAccessKey\":\"s\"}");
	write_file(w, "no-version.json", "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"very-secret\"}");
	write_file(w, "half.json", "{\"Version\":1,\"AccessKeyId\":\"A\"}");
	write_file(w, "when.json", "{\"Version\":1,\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\","
				   "\"Expiration\":\"tomorrow\"}");
	static const char *const cases[][3] = {
		{ "cat %s/good.json", "ASIAP", NULL },
		{ "cat '%s/two words.json'", "ASIAQ", NULL },
		{ "cat \"%s/two words.json\"", "ASIAQ", NULL },
		{ "cat %s/two\\ words.json", "ASIAQ", NULL },
		{ "cat %s/no-version.json", NULL, "no \"Version\": 1" },
		{ "cat %s/half.json", NULL, "has no SecretAccessKey" },
		{ "cat %s/when.json", NULL, "'tomorrow' is no time" },
		{ "cat '%s/good.json", NULL, "a quote is not closed" },
		{ "false %s", NULL, "false ended with 1" },
		{ "no-such-program %s", NULL, "start no-such-program: No such file" },
		{ "echo $HOME %s", NULL, "no \"Version\": 1|no JSON object" },
		{ "head -c 100000 /dev/zero", NULL, "said more than 65536 bytes" },
		{ "sh -c 'kill -9 $$' %s", NULL, "ended by signal 9" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf config = RV_STRBUF_INIT;
		const char *at = strstr(cases[i][0], "%s");
		size_t before = at ? (size_t)(at - cases[i][0]) : strlen(cases[i][0]);
		rv_strbuf_printf(&config, "[profile p]\ncredential_process = %.*s%s%s\n", (int)before,
				 cases[i][0], at ? w->home : "", at ? at + 2 : "");
		write_file(w, ".aws/config", config.bytes);
		open_chain(w, "p");
		if (cases[i][1]) {
			struct rv_error err = RV_ERROR_INIT;
			struct rv_aws_credentials got = { 0 };
			if (rv_aws_chain_get(w->chain, 0, &got, &err) != RV_OK)
				fail_msg("%s: %s", cases[i][0], err.message);
			assert_string_equal(got.access_key_id, cases[i][1]);
			/* What a process gave can be had anew. */
			bool again = i == 0;
			if (again)
				write_file(w, "good.json", "{\"Version\":1,\"AccessKeyId\":\"ASIAR\","
							   "\"SecretAccessKey\":\"s\"}");
			assert_int_equal(rv_aws_chain_renew(w->chain, 0, &got, true), again);
			rv_aws_credentials_release(&got);
			continue;
		}
		RV_CLEANUP(rv_free_p) char *what = rv_strndup(cases[i][2], strcspn(cases[i][2], "|"));
		struct rv_error err = RV_ERROR_INIT;
		struct rv_aws_credentials got = { 0 };
		assert_int_equal(rv_aws_chain_get(w->chain, 0, &got, &err), RV_AUTH);
		const char *other = strchr(cases[i][2], '|');
		if (!strstr(err.message, what) && !(other && strstr(err.message, other + 1)))
			fail_msg("%s: %s", cases[i][0], err.message);
		assert_null(strstr(err.message, "very-secret"));
	}
}

static void test_roles(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/config",
		   "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = s\n"
		   "[profile one]\nrole_arn = arn:aws:iam::1:role/one\nsource_profile = base\n"
		   "external_id = a b+c\nrole_session_name = me\nduration_seconds = 900\n"
		   "[profile two]\nrole_arn = arn:aws:iam::1:role/two\nsource_profile = one\n"
		   "[profile own]\nrole_arn = arn:aws:iam::1:role/own\nsource_profile = own\n"
		   "aws_access_key_id = AKIAOWN\naws_secret_access_key = s\n"
		   "[profile loop]\nrole_arn = arn:aws:iam::1:role/l\nsource_profile = loop2\n"
		   "[profile loop2]\nrole_arn = arn:aws:iam::1:role/l\nsource_profile = loop\n"
		   "[profile alone]\nrole_arn = arn:aws:iam::1:role/x\n"
		   "[profile both]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n"
		   "credential_source = Environment\n"
		   "[profile odd]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = Moon\n"
		   "[profile gone]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = nobody\n"
		   "[profile mfa]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = base\n"
		   "mfa_serial = arn:aws:iam::1:mfa/me\n"
		   "[profile env]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = Environment\n"
		   "[profile box]\nrole_arn = arn:aws:iam::1:role/x\ncredential_source = EcsContainer\n");
	open_chain(w, "one");
	gives(w, "ASIA1", "t1");
	assert_string_equal(w->last_form, "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1"
					  "%3Arole%2Fone&RoleSessionName=me&DurationSeconds=900"
					  "&ExternalId=a%20b%2Bc");
	open_chain(w, "two");
	gives(w, "ASIA3", "t3"); /* one's role was taken first */
	open_chain(w, "own");
	gives(w, "ASIA4", "t4");
	open_chain(w, "loop");
	refuses(w, "are each other's source");
	open_chain(w, "alone");
	refuses_hint(w, "nothing to take the role with", "source_profile");
	open_chain(w, "both");
	refuses(w, "has both source_profile and credential_source");
	open_chain(w, "odd");
	refuses_hint(w, "is 'Moon'", "EcsContainer");
	open_chain(w, "gone");
	refuses(w, "there is no profile nobody");
	open_chain(w, "mfa");
	refuses(w, "MFA device");
	open_chain(w, "env");
	refuses(w, "Environment has no credentials");
	setenv("AWS_ACCESS_KEY_ID", "AKIAENV", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
	open_chain(w, "env");
	gives(w, "ASIA5", "t5");
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s/container", w->server.url);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
	open_chain(w, "box");
	gives(w, "ASIA7", "t7");
	w->error = "AccessDenied";
	open_chain(w, "one");
	refuses_hint(w, "role arn:aws:iam::1:role/one: STS answered 403 AccessDenied", "trust policy");
}

static void test_web_identity(void **state)
{
	struct world *w = *state;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/token", w->home);
	setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
	open_chain(w, NULL);
	refuses(w, "AWS_ROLE_ARN is not");
	setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod", 1);
	open_chain(w, NULL);
	refuses(w, "read the web identity token");
	write_file(w, "token", "first\n");
	open_chain(w, NULL);
	gives(w, "ASIA1", "t1");
	assert_non_null(strstr(w->last_form, "&WebIdentityToken=first"));
	/* Whoever issues tokens replaces the file. */
	write_file(w, "token", "second");
	struct rv_aws_credentials used = { .access_key_id = (char *)(uintptr_t)"ASIA1",
					   .secret_access_key = (char *)(uintptr_t)"s1",
					   .session_token = (char *)(uintptr_t)"t1" };
	assert_true(rv_aws_chain_renew(w->chain, 0, &used, true));
	gives(w, "ASIA2", "t2");
	assert_non_null(strstr(w->last_form, "&WebIdentityToken=second"));
}

static void log_in_until(struct world *w, const char *until)
{
	RV_CLEANUP(rv_free_p)
	char *cache = rv_asprintf("{\"accessToken\":\"fresh\",\"expiresAt\":\"%s\",\"clientId\":\"c\","
				  "\"clientSecret\":\"very-secret\",\"refreshToken\":\"once\","
				  "\"registrationExpiresAt\":\"2099-01-01T00:00:00Z\",\"other\":1}", until);
	write_file(w, ".aws/sso/cache/CORP", cache);
}

static void test_sso(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/config",
		   "[profile s]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = Dev\n"
		   "[profile x]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = Dev\n"
		   "[profile y]\nsso_session = corp\nsso_role_name = Dev\n"
		   "[profile old]\nsso_start_url = https://o/start\nsso_region = eu-west-1\n"
		   "sso_account_id = 1\nsso_role_name = Dev\n"
		   "[sso-session corp]\nsso_start_url = https://c/start\nsso_region = eu-west-1\n");
	open_chain(w, "s");
	refuses_hint(w, "nobody has logged in", "aws sso login --profile s");
	open_chain(w, "x");
	refuses(w, "names the sso-session gone");
	open_chain(w, "y");
	refuses(w, "has no sso_account_id");
	/* The name of the token's file is the SHA-1 of the session's name. */
	char name[RV_SHA1_HEX];
	struct rv_error err = RV_ERROR_INIT;
	assert_int_equal(rv_sha1_hex("corp", 4, name, &err), RV_OK);
	log_in_until(w, "2099-01-01T00:00:00UTC");
	RV_CLEANUP(rv_free_p) char *from = rv_asprintf("%s/.aws/sso/cache/CORP", w->home);
	RV_CLEANUP(rv_free_p) char *to = rv_asprintf("%s/.aws/sso/cache/%s.json", w->home, name);
	assert_int_equal(rename(from, to), 0);
	open_chain(w, "s");
	gives(w, "ASIASSO0", "t");
	/* Ended: renewed, and what was renewed is there for the next one. */
	log_in_until(w, "2020-01-01T00:00:00Z");
	assert_int_equal(rename(from, to), 0);
	open_chain(w, "s");
	gives(w, "ASIASSO1", "t");
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	assert_int_equal(rv_read_file(to, 10000, &text, &err), RV_OK);
	assert_non_null(strstr(text.bytes, "\"renewed\""));
	assert_non_null(strstr(text.bytes, "\"next\""));
	assert_non_null(strstr(text.bytes, "\"other\""));
	struct stat st;
	assert_int_equal(stat(to, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* Another process renews it in the same moment, and its token is the one that counts. */
	log_in_until(w, "2020-01-01T00:00:00Z");
	assert_int_equal(rename(from, to), 0);
	snprintf(w->renewed_elsewhere, sizeof(w->renewed_elsewhere), ".aws/sso/cache/%s.json", name);
	open_chain(w, "s");
	gives(w, "ASIASSO1", "t");
	/* The old form cannot be renewed. */
	assert_int_equal(rv_sha1_hex("https://o/start", 15, name, &err), RV_OK);
	log_in_until(w, "2020-01-01T00:00:00Z");
	RV_CLEANUP(rv_free_p) char *old = rv_asprintf("%s/.aws/sso/cache/%s.json", w->home, name);
	assert_int_equal(rename(from, old), 0);
	open_chain(w, "old");
	refuses_hint(w, "has ended", "aws sso login --profile old");
}

static void use_container(const struct world *w)
{
	RV_CLEANUP(rv_free_p) char *url = rv_asprintf("%s/container", w->server.url);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
}

static void test_container(void **state)
{
	struct world *w = *state;
	use_container(w);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "plain", 1);
	open_chain(w, NULL);
	gives(w, "ASIA1", "t1");
	pthread_mutex_lock(&w->server.mutex);
	assert_non_null(strstr(w->server.last_head.bytes, "\r\nAuthorization: plain\r\n"));
	pthread_mutex_unlock(&w->server.mutex);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "a\r\nEvil: 1", 1);
	open_chain(w, NULL);
	refuses(w, "holds a line break");
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/token", w->home);
	setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
	write_file(w, "token", "of a file\n");
	open_chain(w, NULL);
	gives(w, "ASIA2", "t2");
	pthread_mutex_lock(&w->server.mutex);
	assert_non_null(strstr(w->server.last_head.bytes, "\r\nAuthorization: of a file\r\n"));
	pthread_mutex_unlock(&w->server.mutex);
	/* In the clear only to this machine and AWS's own addresses. */
	static const char *const others[] = { "http://example.com/c", "http://127.0.0.1@example.com/c",
					      "http://10.0.0.1/c", "ftp://127.0.0.1/c",
					      "http://127.0.0.1.example.com/", "nonsense" };
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", others[i], 1);
		open_chain(w, NULL);
		refuses(w, "without TLS");
	}
	use_container(w);
	atomic_store(&w->status, 403);
	open_chain(w, NULL);
	refuses(w, "the container's credentials: answer 403");
}

static void test_instance(void **state)
{
	struct world *w = *state;
	setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", w->server.url, 1);
	open_chain(w, NULL);
	refuses(w, "no AWS credentials"); /* it is switched off */
	unsetenv("AWS_EC2_METADATA_DISABLED");
	write_file(w, ".aws/credentials", "[typo]\naws_access_key_idd = AKIA\n");
	atomic_store(&w->status, 403);
	open_chain(w, "typo");
	refuses_hint(w, "EC2's instance metadata", "as profile typo of ");
	atomic_store(&w->status, 0);
	open_chain(w, NULL);
	gives(w, "ASIA1", "t1");
	pthread_mutex_lock(&w->server.mutex);
	assert_non_null(strstr(w->server.last_head.bytes, "\r\nX-aws-ec2-metadata-token: imds-token\r\n"));
	pthread_mutex_unlock(&w->server.mutex);
	/* What an outage left expired is used all the same, for a while. */
	atomic_store(&w->life_s, -60);
	open_chain(w, NULL);
	gives(w, "ASIA2", "t2");
	gives(w, "ASIA2", "t2");
	/* Only the first version. */
	atomic_store(&w->token_status, 404);
	open_chain(w, NULL);
	gives(w, "ASIA3", "t3");
	setenv("AWS_EC2_METADATA_V1_DISABLED", "TRUE", 1);
	open_chain(w, NULL);
	refuses(w, "gave no token: answer 404");
	atomic_store(&w->token_status, 400);
	unsetenv("AWS_EC2_METADATA_V1_DISABLED");
	open_chain(w, NULL);
	refuses(w, "gave no token: answer 400");
}

struct getter {
	struct world *w;
	unsigned gets;
	bool failed;
};

static void *get_many(void *arg)
{
	struct getter *getter = arg;
	for (unsigned i = 0; i < getter->gets; i++) {
		struct rv_error err = RV_ERROR_INIT;
		struct rv_aws_credentials got = { 0 };
		if (rv_aws_chain_get(getter->w->chain, 0, &got, &err) != RV_OK) {
			getter->failed = true;
			return NULL;
		}
		/* Everybody complains of the first ones. */
		if (strcmp(got.access_key_id, "ASIA1") == 0)
			rv_aws_chain_renew(getter->w->chain, 0, &got, true);
		rv_aws_credentials_release(&got);
	}
	return NULL;
}

/* Eight threads: fetched once at first, and once because they were refused. */
static void test_one_refresher(void **state)
{
	struct world *w = *state;
	use_container(w);
	atomic_store(&w->life_s, 3600);
	open_chain(w, NULL);
	struct getter getters[8];
	pthread_t threads[8];
	for (size_t i = 0; i < 8; i++) {
		getters[i] = (struct getter){ w, 500, false };
		assert_int_equal(pthread_create(&threads[i], NULL, get_many, &getters[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		assert_false(getters[i].failed);
	}
	assert_int_equal(atomic_load(&w->given), 2);
}

static void test_refresh(void **state)
{
	struct world *w = *state;
	struct rv_error err = RV_ERROR_INIT;
	struct rv_aws_credentials got = { 0 };
	use_container(w);
	atomic_store(&w->life_s, 3600);
	open_chain(w, NULL);
	gives(w, "ASIA1", "t1");
	gives(w, "ASIA1", "t1");
	/* By a clock that is four minutes before their end they are replaced while still valid ... */
	assert_int_equal(rv_aws_chain_get(w->chain, 3600000 - 240000, &got, &err), RV_OK);
	assert_string_equal(got.access_key_id, "ASIA2");
	rv_aws_credentials_release(&got);
	/* ... and when that fails, the old ones still do. */
	atomic_store(&w->status, 500);
	open_chain(w, NULL);
	atomic_store(&w->status, 0);
	atomic_store(&w->life_s, 3600);
	gives(w, "ASIA3", "t3");
	atomic_store(&w->status, 500);
	assert_int_equal(rv_aws_chain_get(w->chain, 3600000 - 240000, &got, &err), RV_OK);
	assert_string_equal(got.access_key_id, "ASIA3");
	rv_aws_credentials_release(&got);
	/* Past their end that is an error, of a kind that may pass. */
	open_chain(w, NULL);
	assert_int_equal(rv_aws_chain_get(w->chain, 0, &got, &err), RV_AUTH);
	assert_true(err.transient);
	assert_non_null(strstr(err.message, "answer 500"));
	/* Short ones are not fetched with every request. */
	atomic_store(&w->status, 0);
	atomic_store(&w->life_s, 60);
	open_chain(w, NULL);
	gives(w, "ASIA4", "t4");
	gives(w, "ASIA4", "t4");
}

static const char *state_of(const json_t *list, const char *source)
{
	size_t i;
	const json_t *item;
	json_array_foreach(list, i, item) {
		if (strcmp(json_string_value(json_object_get(item, "source")), source) == 0)
			return json_string_value(json_object_get(item, "state"));
	}
	return "?";
}

static void test_explained(void **state)
{
	struct world *w = *state;
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = AKIAVERYLONG12345\n"
					  "aws_secret_access_key = very-secret\n");
	open_chain(w, NULL);
	json_t *list = rv_aws_chain_explain(w->chain);
	assert_int_equal(json_array_size(list), 5);
	assert_string_equal(state_of(list, "environment"), "not configured");
	assert_string_equal(state_of(list, "AWS profile"), "used");
	assert_string_equal(state_of(list, "container"), "not reached");
	char *text = json_dumps(list, 0);
	assert_null(strstr(text, "very-secret"));
	assert_null(strstr(text, "AKIAVERYLONG"));
	assert_non_null(strstr(text, "AKIA...2345"));
	free(text);
	json_decref(list);
	gives(w, "AKIAVERYLONG12345", NULL);
	assert_non_null(strstr(rv_aws_chain_source(w->chain), "profile default"));
	write_file(w, ".aws/credentials", "[default]\naws_access_key_id = A\n");
	open_chain(w, NULL);
	list = rv_aws_chain_explain(w->chain);
	assert_string_equal(state_of(list, "AWS profile"), "failed");
	json_decref(list);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_environment), TEST(test_nothing),	  TEST(test_keys_of_a_profile),
		TEST(test_keys_are_rotated),
		TEST(test_keys_of_a_role_are_rotated),
		TEST(test_process),	TEST(test_roles),	  TEST(test_web_identity),
		TEST(test_sso),		TEST(test_container),	  TEST(test_instance),
		TEST(test_one_refresher), TEST(test_refresh),	  TEST(test_explained),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
