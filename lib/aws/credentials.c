/*
 * The chain: which source decides, what it gave, and when it is asked again.
 *
 * New credentials are fetched a while before the old ones end: five minutes, or a tenth of their
 * life where that is less, so that short ones are not fetched with every request. Meanwhile the
 * other threads go on with the old ones.
 */
#include "aws/credentials.h"

#include <stdlib.h>
#include <string.h>

#include "aws/credentials_impl.h"
#include "base/clock.h"
#include "base/memory.h"

#define EARLY_MS (5 * 60 * INT64_C(1000))
/* A source that failed is left alone for this long, with valid credentials at hand or without. */
#define LEAVE_ALONE_VALID_MS 10000
#define LEAVE_ALONE_MS 1000
/* Credentials that were over when they came are used for so long before others are asked for: the
 * clock here may be wrong, and the service decides. */
#define OVER_MS (60 * INT64_C(1000))

static const struct source {
	const char *name;
	rv_aws_source *ask;
} sources[] = {
	{ "environment", rv_aws_from_environment },
	{ "AWS profile", rv_aws_from_profile },
	{ "web identity", rv_aws_from_web_identity },
	{ "container", rv_aws_from_container },
	{ "EC2 instance metadata", rv_aws_from_instance },
};
#define SOURCES (sizeof(sources) / sizeof(*sources))

struct rv_aws_chain {
	const struct rv_aws_settings *settings;
	struct rv_http *http;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool fetching, have, expired; /* expired: the service said so */
	bool of_profile;              /* it was the profile that gave them */
	struct rv_aws_given given;
	int64_t refresh_ms;           /* by the service's clock: time for new ones */
	int64_t next_try_ms;          /* monotonic: not before */
	int64_t same_until_ms;        /* monotonic: the source gave the same again, expired ones */
	struct rv_error failure;      /* of the last fetch; RV_OK: it worked */
	struct said *source;
};

/* "environment", "AWS profile: ...". Somebody may hold an older one: all live as long as the chain. */
struct said {
	struct said *older;
	char text[];
};

void rv_aws_given_release(struct rv_aws_given *given)
{
	rv_aws_credentials_release(&given->credentials);
	free(given->detail);
	*given = (struct rv_aws_given){ .configured = false };
}

struct rv_aws_chain *rv_aws_chain_new(const struct rv_aws_settings *settings, struct rv_http *http)
{
	struct rv_aws_chain *chain = rv_calloc(1, sizeof(*chain));
	chain->settings = settings;
	chain->http = http;
	chain->failure = (struct rv_error)RV_ERROR_INIT;
	pthread_mutex_init(&chain->mutex, NULL);
	pthread_cond_init(&chain->changed, NULL);
	return chain;
}

void rv_aws_chain_free(struct rv_aws_chain *chain)
{
	if (!chain)
		return;
	rv_aws_given_release(&chain->given);
	rv_sigv4_forget_keys();
	for (struct said *said = chain->source, *older; said; said = older) {
		older = said->older;
		free(said);
	}
	pthread_cond_destroy(&chain->changed);
	pthread_mutex_destroy(&chain->mutex);
	free(chain);
}

void rv_aws_chain_free_p(struct rv_aws_chain **chain)
{
	rv_aws_chain_free(*chain);
	*chain = NULL;
}

static enum rv_status none_found(const struct rv_aws_settings *settings, struct rv_error *err)
{
	rv_fail(err, RV_AUTH,
		"no AWS credentials: %s, not in profile %s of %s and %s, and "
		"neither a web identity, a container nor EC2 gives any",
		settings->profile_explicit ? "the environment is not looked at, as river's profile "
					     "names an AWS profile"
					   : "not in the environment",
		settings->profile, rv_ini_path(settings->credentials), rv_ini_path(settings->config));
	if (settings->profile_explicit)
		rv_hint(err, "run 'aws configure --profile %s' or 'aws sso login --profile %s', or set "
			     "aws.profile to another one",
			settings->profile, settings->profile);
	else
		rv_hint(err, "run 'aws configure' or 'aws sso login', or set AWS_PROFILE; 'river doctor' "
			     "shows what was tried");
	return err->status;
}

/* Whoever mistyped a key of a profile hears of EC2, which is asked last: why it was has to be said. */
static void say_why_instance(const struct rv_aws_settings *settings, struct rv_error *err)
{
	if (err->hint[0])
		return;
	rv_hint(err, "EC2 is asked last, as profile %s of %s and %s gives no credentials: 'aws configure "
		     "--profile %s' sets them; AWS_EC2_METADATA_DISABLED=true leaves EC2 out",
		settings->profile, rv_ini_path(settings->credentials), rv_ini_path(settings->config),
		settings->profile);
}

struct files {
	struct rv_ini *config, *credentials;
};

static void files_release(struct files *files)
{
	rv_ini_free(files->config);
	rv_ini_free(files->credentials);
}

/* Other tools rotate what stands in AWS's files. What cannot be read is perhaps being written: then
 * what was there before counts, as it does where the profile has gone. */
static void read_files(const struct rv_aws_chain *chain, struct files *files,
		       struct rv_aws_settings *ret)
{
	struct rv_error ignored = RV_ERROR_INIT;
	*ret = *chain->settings;
	if (rv_aws_settings_reread(&files->config, &files->credentials, &ignored) != RV_OK)
		return;
	ret->config = files->config;
	ret->credentials = files->credentials;
	ret->profile_exists = rv_aws_profile_exists(ret, ret->profile);
	if (!ret->profile_exists && chain->settings->profile_exists)
		*ret = *chain->settings;
}

/* Asks the sources in their order; *ret_source is the one that decided. */
static enum rv_status fetch(const struct rv_aws_chain *chain, int64_t now_ms,
			    struct rv_aws_given *ret, const struct source **ret_source,
			    struct rv_error *err)
{
	RV_CLEANUP(files_release) struct files files = { NULL, NULL };
	struct rv_aws_settings settings;
	read_files(chain, &files, &settings);
	const struct rv_aws_asking asking = { &settings, chain->http, now_ms };
	for (size_t i = 0; i < SOURCES; i++) {
		enum rv_status status = sources[i].ask(&asking, ret, err);
		*ret_source = &sources[i];
		if (status != RV_OK && sources[i].ask == rv_aws_from_instance)
			say_why_instance(chain->settings, err);
		if (status != RV_OK)
			return status;
		if (ret->configured)
			return RV_OK;
		rv_aws_given_release(ret);
		/* Whose keys are gone is not somebody else from now on. */
		if (sources[i].ask == rv_aws_from_profile && chain->of_profile)
			break;
	}
	none_found(chain->settings, err);
	/* It gave some before, so it is away rather than not there. */
	err->transient = chain->have;
	return err->status;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_credentials(const struct rv_aws_credentials *a, const struct rv_aws_credentials *b)
{
	return same_text(a->access_key_id, b->access_key_id) &&
	       same_text(a->secret_access_key, b->secret_access_key) &&
	       same_text(a->session_token, b->session_token);
}

static void say_source(struct rv_aws_chain *chain, const char *source)
{
	const char *detail = chain->given.detail;
	RV_CLEANUP(rv_free_p)
	char *text = detail ? rv_asprintf("%s: %s", source, detail) : rv_strdup(source);
	if (chain->source && strcmp(chain->source->text, text) == 0)
		return;
	struct said *said = rv_malloc(sizeof(*said) + strlen(text) + 1);
	said->older = chain->source;
	strcpy(said->text, text);
	chain->source = said;
}

static void keep(struct rv_aws_chain *chain, struct rv_aws_given *given, const char *source,
		 int64_t now_ms)
{
	if (chain->expired && same_credentials(&chain->given.credentials, &given->credentials))
		chain->same_until_ms = rv_clock_monotonic_ms() + LEAVE_ALONE_VALID_MS;
	rv_aws_given_release(&chain->given);
	chain->given = *given;
	*given = (struct rv_aws_given){ .configured = false };
	say_source(chain, source);
	chain->have = true;
	chain->expired = false;
	if (chain->given.credentials.expires_ms <= now_ms)
		chain->given.credentials.expires_ms = now_ms + OVER_MS;
	int64_t expires_ms = chain->given.credentials.expires_ms;
	int64_t early_ms = EARLY_MS;
	if (expires_ms != INT64_MAX && (expires_ms - now_ms) / 10 < early_ms)
		early_ms = (expires_ms - now_ms) / 10;
	chain->refresh_ms = expires_ms == INT64_MAX ? INT64_MAX : expires_ms - early_ms;
}

/* The caller holds the mutex, which is open while a source is asked. */
static void refresh(struct rv_aws_chain *chain, int64_t now_ms, bool valid)
{
	struct rv_aws_given given = { .configured = false };
	struct rv_error err = RV_ERROR_INIT;
	const struct source *source = NULL;
	chain->fetching = true;
	pthread_mutex_unlock(&chain->mutex);
	enum rv_status status = fetch(chain, now_ms, &given, &source, &err);
	pthread_mutex_lock(&chain->mutex);
	chain->fetching = false;
	chain->failure = err;
	if (status == RV_OK) {
		keep(chain, &given, source->name, now_ms);
		chain->of_profile = source->ask == rv_aws_from_profile;
		chain->failure = (struct rv_error)RV_ERROR_INIT;
	} else {
		chain->next_try_ms = rv_clock_monotonic_ms() +
				     (valid ? LEAVE_ALONE_VALID_MS : LEAVE_ALONE_MS);
	}
	rv_aws_given_release(&given);
	pthread_cond_broadcast(&chain->changed);
}

enum rv_status rv_aws_chain_get(struct rv_aws_chain *chain, int64_t clock_offset_ms,
				struct rv_aws_credentials *ret, struct rv_error *err)
{
	enum rv_status status = RV_OK;
	pthread_mutex_lock(&chain->mutex);
	for (;;) {
		int64_t now_ms = rv_clock_ms() + clock_offset_ms;
		bool valid = chain->have && !chain->expired &&
			     now_ms < chain->given.credentials.expires_ms;
		if (valid && now_ms < chain->refresh_ms)
			break;
		bool leave_alone = chain->failure.status != RV_OK &&
				   rv_clock_monotonic_ms() < chain->next_try_ms;
		if (valid && (chain->fetching || leave_alone))
			break;
		if (chain->fetching) {
			pthread_cond_wait(&chain->changed, &chain->mutex);
			continue;
		}
		if (!leave_alone)
			refresh(chain, now_ms, valid);
		if (chain->failure.status == RV_OK || valid)
			break;
		*err = chain->failure;
		status = err->status;
		break;
	}
	if (status == RV_OK)
		rv_aws_credentials_copy(ret, &chain->given.credentials);
	pthread_mutex_unlock(&chain->mutex);
	return status;
}

/* There is something else to be had than these. The caller holds the mutex. */
static bool has_others(const struct rv_aws_chain *chain, const struct rv_aws_credentials *used)
{
	return chain->have &&
	       (chain->expired || !same_credentials(&chain->given.credentials, used));
}

bool rv_aws_chain_renew(struct rv_aws_chain *chain, int64_t clock_offset_ms,
			const struct rv_aws_credentials *used, bool expired)
{
	pthread_mutex_lock(&chain->mutex);
	while (chain->fetching)
		pthread_cond_wait(&chain->changed, &chain->mutex);
	bool ask = chain->have && !has_others(chain, used) && !chain->given.fixed &&
		   rv_clock_monotonic_ms() >= chain->same_until_ms;
	if (ask) {
		refresh(chain, rv_clock_ms() + clock_offset_ms, false);
		chain->expired = chain->failure.status != RV_OK &&
				 (expired || chain->failure.transient);
		if (!has_others(chain, used))
			chain->same_until_ms = rv_clock_monotonic_ms() + LEAVE_ALONE_VALID_MS;
	}
	bool others = has_others(chain, used);
	pthread_mutex_unlock(&chain->mutex);
	return others;
}

/* Paths and names in it need not be UTF-8; the rest of it has to be told all the same. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	if (json)
		return json;
	RV_CLEANUP(rv_free_p) char *ascii = rv_strdup(text);
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}

json_t *rv_aws_chain_explain(struct rv_aws_chain *chain)
{
	const struct rv_aws_asking asking = { chain->settings, chain->http, rv_clock_ms() };
	json_t *list = json_array();
	bool decided = false;
	for (size_t i = 0; i < SOURCES; i++) {
		struct rv_aws_given given = { .configured = false };
		struct rv_error err = RV_ERROR_INIT;
		const char *state = "not reached", *detail = "a source before it decides", *hint = "";
		if (!decided) {
			enum rv_status status = sources[i].ask(&asking, &given, &err);
			decided = status != RV_OK || given.configured;
			state = status != RV_OK ? "failed" : given.configured ? "used" : "not configured";
			detail = status != RV_OK ? err.message : given.detail ? given.detail : "";
			hint = status != RV_OK ? err.hint : "";
		}
		json_t *item = json_pack("{s:s, s:s, s:o}", "source", sources[i].name, "state", state,
					 "detail", text_json(detail));
		if (*hint)
			json_object_set_new(item, "hint", text_json(hint));
		json_array_append_new(list, item);
		rv_aws_given_release(&given);
	}
	return list;
}

const char *rv_aws_chain_source(struct rv_aws_chain *chain)
{
	pthread_mutex_lock(&chain->mutex);
	const char *text = chain->source ? chain->source->text : "none";
	pthread_mutex_unlock(&chain->mutex);
	return text;
}
