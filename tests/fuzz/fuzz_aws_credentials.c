/*
 * Any bytes as what gives AWS credentials away: STS for a role, the metadata of an instance, a container's agent, the
 * token that a login to SSO left in the cache and what SSO gives for it. Credentials that are taken are whole, can be
 * headers, and stand in what was given; whoever refuses them says so; and a token that is renewed is kept as it came.
 * The first byte chooses what is asked; the rest is answers (answers.h), for SSO the cached token before them.
 */
#include <jansson.h>
#include <sys/stat.h>

#include "fuzz.h"

#include "answers.h"
#include "aws/credentials_impl.h"
#include "aws/settings.h"
#include "base/file.h"

#define NOW_MS INT64_C(1795193931000)
#define CACHE "/.aws/sso/cache"

static char folder[] = "/dev/shm/river-fuzz-XXXXXX";
static char cache_path[128];
static struct rv_aws_settings *settings;

/* Spelled plainly, or somewhere there is a spelling that is not plain. */
static void check_is_from(const char *text, const char *p)
{
	CHECK(strstr(p, text) || strchr(p, '\\') || strchr(p, '&') || strchr(p, '<'));
}

static void check_given(const struct rv_aws_credentials *c, const char *p, bool has_token)
{
	CHECK(c->access_key_id && c->access_key_id[0] && c->secret_access_key && c->secret_access_key[0]);
	CHECK(rv_http_value_valid(c->access_key_id) && (!c->session_token || rv_http_value_valid(c->session_token)));
	CHECK(!has_token || (c->session_token && c->session_token[0]));
	CHECK(c->expires_ms != 0);
	check_is_from(c->access_key_id, p);
	check_is_from(c->secret_access_key, p);
	if (c->session_token)
		check_is_from(c->session_token, p);
}

static void check_refusal(enum rv_status status, const struct rv_error *err, const struct rv_aws_credentials *c)
{
	CHECK(status == err->status && err->message[0] && memchr(err->message, '\0', sizeof(err->message)));
	CHECK(!c->access_key_id && !c->secret_access_key && !c->session_token);
}

static void try_role(const struct rv_aws_asking *asking, const char *p, bool by_token)
{
	static const struct rv_aws_credentials source = { .access_key_id = (char *)(uintptr_t)"AKIDEXAMPLE",
							  .secret_access_key = (char *)(uintptr_t)"example",
							  .expires_ms = INT64_MAX };
	const struct rv_aws_role role = { .arn = "arn:aws:iam::123456789012:role/r", .session_name = "river" };
	struct rv_aws_credentials c = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	/* any file will do for a token */
	enum rv_status status = by_token ? rv_aws_assume_role_with_token(asking, &role, "/proc/self/comm", &c, &err)
					 : rv_aws_assume_role(asking, &role, &source, &c, &err);

	if (status == RV_OK)
		check_given(&c, p, true);
	else
		check_refusal(status, &err, &c);
	rv_aws_credentials_release(&c);
}

static void try_source(const struct rv_aws_asking *asking, const char *p, rv_aws_source *source)
{
	struct rv_aws_given given = { .configured = false };
	struct rv_error err = RV_ERROR_INIT;
	enum rv_status status = source(asking, &given, &err);

	if (status == RV_OK && given.configured)
		check_given(&given.credentials, p, false);
	else if (status == RV_OK)
		CHECK(given.detail && given.detail[0]);
	else
		check_refusal(status, &err, &given.credentials);
	rv_aws_given_release(&given);
}

/* What is in the cache afterwards is what was, or a whole token. */
static void check_cache(const char *was)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error err = RV_ERROR_INIT;

	CHECK(rv_read_file(cache_path, 1 << 20, &text, &err) == RV_OK);
	if (strcmp(text.bytes, was) == 0)
		return;
	json_t *json = json_loadb(text.bytes, text.len, 0, NULL);
	const char *token = json_string_value(json_object_get(json, "accessToken"));
	const char *until = json_string_value(json_object_get(json, "expiresAt"));
	const char *next = json_string_value(json_object_get(json, "refreshToken"));
	int64_t ms;

	CHECK(token && token[0] && next && next[0]);
	CHECK(until && rv_aws_read_expiration("it", until, &ms, &err) == RV_OK && ms > NOW_MS);
	json_decref(json);
}

static void try_sso(const struct rv_aws_asking *asking, char *p)
{
	struct rv_aws_credentials c = { 0 };
	struct rv_error err = RV_ERROR_INIT;
	struct rv_str first;

	if (!next_answer(&first))
		return;
	RV_CLEANUP(rv_free_p) char *cached = rv_strndup(first.p, first.len);

	CHECK(rv_replace_file(cache_path, cached, strlen(cached), 0600, &err) == RV_OK);
	enum rv_status status = rv_aws_sso(asking, "sso", &c, &err);

	if (status == RV_OK)
		check_given(&c, p, true);
	else
		check_refusal(status, &err, &c);
	rv_aws_credentials_release(&c);
	check_cache(cached);
}

static void clean_up(void)
{
	struct rv_error err = RV_ERROR_INIT;

	if (rv_remove_tree(folder, &err) != RV_OK)
		fprintf(stderr, "%s\n", err.message);
}

static void set_up(void)
{
	static const char config[] = "[profile sso]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = r\n"
				     "[sso-session s]\nsso_start_url = https://login.example\nsso_region = us-east-1\n";
	const struct rv_aws_settings_params params = { .profile = "sso", .region = "us-east-1",
						       .endpoint_url = "http://127.0.0.1:9" };
	RV_CLEANUP(rv_free_p) char *path = NULL, *cache = NULL;
	struct rv_error err = RV_ERROR_INIT;

	answers_set_up();
	CHECK(mkdtemp(folder) || mkdtemp(memcpy(folder, "/tmp/river-fuzz-XXXXXX", 23)));
	atexit(clean_up);
	path = rv_asprintf("%s/config", folder);
	cache = rv_asprintf("%s" CACHE, folder);
	for (char *slash = cache + strlen(folder); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		CHECK(mkdir(cache, 0700) == 0);
		*slash = '/';
	}
	CHECK(mkdir(cache, 0700) == 0);
	/* SHA-1 of the session's name */
	snprintf(cache_path, sizeof(cache_path), "%s/a0f1490a20d0211c997b44bc357e1972deab8ae3.json", cache);
	CHECK(rv_replace_file(path, config, strlen(config), 0600, &err) == RV_OK);
	setenv("HOME", folder, 1);
	setenv("AWS_CONFIG_FILE", path, 1);
	setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/", 1);
	unsetenv("AWS_EC2_METADATA_DISABLED");
	CHECK(rv_aws_settings_load(&params, &settings, &err) == RV_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 8192)
		return 0;
	if (!settings)
		set_up();
	RV_CLEANUP(rv_free_p) char *p = exact_text(data + 1, size - 1);
	RV_CLEANUP(rv_free_p) char *region = NULL;
	const struct rv_aws_asking asking = { settings, answers_aws->http, NOW_MS };

	memset(&script, 0, sizeof(script));
	script.p = p;
	script.len = size - 1;
	script.piece = 1 << 16;
	switch (data[0] % 7) {
	case 0: try_role(&asking, p, false); break;
	case 1: try_role(&asking, p, true); break;
	case 2: try_source(&asking, p, rv_aws_from_instance); break;
	case 3: try_source(&asking, p, rv_aws_from_container); break;
	case 4:
		region = rv_aws_instance_region(settings, answers_aws->http);
		CHECK(!region || (region[0] && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(region)));
		break;
	default: try_sso(&asking, p);
	}
	return 0;
}
