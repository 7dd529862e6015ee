/* One table of settings answers every question about a key, so that files, environment, -c, help and
 * suggestions cannot disagree. */
#include "config/keys.h"

#include <ctype.h>
#include <netdb.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "format/url.h"

const struct rv_key rv_keys[] = {
#define RV_KEY(name, type, choices, def, belongs_to, help)                                         \
	{ name, RV_KEY_##type, choices, def, belongs_to, help },
#include "config/keys.def"
#undef RV_KEY
};
const size_t rv_keys_count = sizeof(rv_keys) / sizeof(rv_keys[0]);

#define NAME_MAX_BYTES 256 /* no name that long is a key's */

/* A business: [a-z][a-z0-9_]{0,23} */
static bool star_matches(const char *p, size_t len)
{
	if (len < 1 || len > 24 || !islower((unsigned char)p[0]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)p[i]) && !isdigit((unsigned char)p[i]) && p[i] != '_')
			return false;
	return true;
}

/* Whether `name` is the key, or with `as_group` the start of it up to a dot. */
static bool matches(const char *key, const char *name, bool as_group)
{
	for (;;) {
		size_t key_len = strcspn(key, "."), name_len = strcspn(name, ".");
		if (key_len == 1 && key[0] == '*') {
			if (!star_matches(name, name_len))
				return false;
		} else if (key_len != name_len || memcmp(key, name, key_len) != 0) {
			return false;
		}
		key += key_len;
		name += name_len;
		if (*name == '\0')
			return as_group ? *key == '.' : *key == '\0';
		if (*key == '\0')
			return false;
		key++;
		name++;
	}
}

const struct rv_key *rv_key_find(const char *name)
{
	for (size_t i = 0; i < rv_keys_count; i++)
		if (matches(rv_keys[i].name, name, false))
			return &rv_keys[i];
	char with_type[NAME_MAX_BYTES];
	size_t len = strlen(name);
	if (len + sizeof(".type") > sizeof(with_type))
		return NULL;
	memcpy(with_type, name, len);
	memcpy(with_type + len, ".type", sizeof(".type"));
	for (size_t i = 0; i < rv_keys_count; i++)
		if (strcmp(rv_keys[i].name, with_type) == 0)
			return &rv_keys[i];
	return NULL;
}

bool rv_key_is_group(const char *name)
{
	for (size_t i = 0; i < rv_keys_count; i++)
		if (matches(rv_keys[i].name, name, true))
			return true;
	return false;
}

bool rv_key_has_star(const struct rv_key *key)
{
	return strchr(key->name, '*');
}

char *rv_key_env(const struct rv_key *key)
{
	char *env = rv_asprintf("RIVER_%s", key->name);
	for (char *p = env; *p; p++)
		*p = *p == '.' ? '_' : (char)toupper((unsigned char)*p);
	return env;
}

/* Among the names that can stand beside it first; else a key whose last word is this one, which is
 * then in the wrong place. */
char *rv_key_nearest(const char *name)
{
	if (strlen(name) >= NAME_MAX_BYTES)
		return NULL;
	const char *dot = strrchr(name, '.');
	const char *last = dot ? dot + 1 : name;
	RV_CLEANUP(rv_free_p) char *parent = dot ? rv_strndup(name, (size_t)(dot - name)) : NULL;

	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf words = RV_STRBUF_INIT;
	RV_CLEANUP(rv_free_p) const char **siblings =
		rv_calloc(rv_keys_count + 1, sizeof(const char *));
	size_t count = 0, depth = 0;
	for (const char *p = name; *p; p++)
		depth += *p == '.';
	rv_strbuf_reserve(&words, rv_keys_count * 64); /* words are shorter; pointers into it stay */
	for (size_t i = 0; i < rv_keys_count; i++) {
		if (parent && !matches(rv_keys[i].name, parent, true))
			continue;
		const char *word = rv_keys[i].name;
		for (size_t d = 0; d < depth; d++)
			word = strchr(word, '.') + 1;
		size_t len = strcspn(word, ".");
		if (word[0] == '*')
			continue;
		siblings[count++] = words.bytes + words.len;
		rv_strbuf_add(&words, word, len);
		rv_strbuf_putc(&words, '\0');
	}
	const char *near = rv_nearest(last, siblings);
	if (near)
		return parent ? rv_asprintf("%s.%s", parent, near) : rv_strdup(near);
	for (size_t i = 0; i < rv_keys_count; i++) {
		const char *end = strrchr(rv_keys[i].name, '.');
		if (end && !rv_key_has_star(&rv_keys[i]) && strcmp(end + 1, last) == 0)
			return rv_strdup(rv_keys[i].name);
	}
	for (size_t i = 0; i < rv_keys_count; i++)
		siblings[i] = rv_keys[i].name;
	siblings[rv_keys_count] = NULL;
	near = rv_nearest(name, siblings);
	return near && !strchr(near, '*') ? rv_strdup(near) : NULL;
}

static enum rv_status path_value(const char *text, const char *folder, char **ret_value,
				 struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *home = NULL;
	RV_CLEANUP(rv_free_p) char *joined = NULL;
	if (text[0] == '~') {
		if (text[1] != '\0' && text[1] != '/') {
			rv_fail(err, RV_BAD_CONFIG, "'%s': only ~/ stands for a home folder", text);
			rv_hint(err, "write ./%s for a folder of that name", text);
			return err->status;
		}
		home = rv_home_folder();
		if (!home)
			return rv_fail(err, RV_BAD_CONFIG,
				       "'%s': HOME is not set and the user has no home folder",
				       text);
		joined = rv_asprintf("%s/%s", home, text + 1);
	} else if (text[0] == '$') {
		rv_fail(err, RV_BAD_CONFIG, "'%s': variables are not replaced here", text);
		rv_hint(err, "write the path itself, or ~/ for the home folder, or ./%s for a "
			     "folder of that name", text);
		return err->status;
	} else {
		joined = rv_path_join(folder, text);
	}
	*ret_value = rv_path_absolute(joined);
	return RV_OK;
}

/* A bucket: 3 to 63 of a-z 0-9 . - with a letter or digit at both ends (Amazon S3 User Guide,
 * bucket naming rules). */
static bool is_bucket(const char *p, size_t len)
{
	if (len < 3 || len > 63 || !isalnum((unsigned char)p[0]) ||
	    !isalnum((unsigned char)p[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!islower((unsigned char)p[i]) && !isdigit((unsigned char)p[i]) && p[i] != '.' &&
		    p[i] != '-')
			return false;
	return true;
}

static enum rv_status location_value(const char *text, const char *folder, char **ret_value,
				     struct rv_error *err)
{
	const char *scheme = strstr(text, "://");
	/* With a slash too few it would be a folder, and data in it believed to be on S3. */
	if (rv_starts_with(text, "s3:") && scheme != text + 2)
		return rv_fail(err, RV_BAD_CONFIG, "'%s': a lake on S3 is s3://bucket/prefix", text);
	if (!scheme || memchr(text, '/', (size_t)(scheme - text)))
		return path_value(text, folder, ret_value, err);
	if (!rv_starts_with(text, "s3://"))
		return rv_fail(err, RV_BAD_CONFIG, "'%s': a lake is a folder or s3://bucket/prefix",
			       text);
	const char *bucket = text + 5;
	size_t len = strcspn(bucket, "/");
	if (!is_bucket(bucket, len))
		return rv_fail(err, RV_BAD_CONFIG, "'%s': '%.*s' is not the name of a bucket", text,
			       (int)len, bucket);
	/* Keys of S3 are no paths: "p//q" is another place than "p/q", which is most likely meant. */
	if (strstr(bucket, "//")) {
		rv_fail(err, RV_BAD_CONFIG, "'%s': a piece of the prefix is empty", text);
		rv_hint(err, "write one slash between two pieces: s3://bucket/prefix");
		return err->status;
	}
	len = strlen(text);
	*ret_value = rv_strndup(text, text[len - 1] == '/' ? len - 1 : len);
	return RV_OK;
}

static bool is_choice(const char *choices, const char *text)
{
	for (const char *p = choices; *p;) {
		size_t len = strcspn(p, " ");
		if (strlen(text) == len && memcmp(p, text, len) == 0)
			return true;
		p += len + (p[len] == ' ');
	}
	return false;
}

static enum rv_status choice_value(const struct rv_key *key, const char *text, struct rv_error *err)
{
	if (is_choice(key->choices, text))
		return RV_OK;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf words = RV_STRBUF_INIT;
	for (const char *p = key->choices; *p;) {
		size_t len = strcspn(p, " ");
		bool last = p[len] == '\0' || !strchr(p + len + 1, ' ');
		rv_strbuf_add(&words, p, len);
		if (p[len])
			rv_strbuf_puts(&words, last ? " or " : ", ");
		p += len + (p[len] == ' ');
	}
	return rv_fail(err, RV_BAD_CONFIG, "'%s' is not %s", text, words.bytes);
}

static enum rv_status listen_value(const char *text, struct rv_error *err)
{
	bool any;
	struct addrinfo *info = rv_url_listen(text, &any);
	if (info) {
		freeaddrinfo(info);
		return RV_OK;
	}
	rv_fail(err, RV_BAD_CONFIG, "'%s' is no address to listen on", text);
	rv_hint(err, RV_URL_LISTEN_HINT);
	return err->status;
}

static enum rv_status origins_value(const char *text, struct rv_error *err)
{
	char **origins;
	size_t count;
	enum rv_status status = rv_url_origins(text, &origins, &count, err);
	for (size_t i = 0; i < count; i++)
		free(origins[i]);
	free(origins);
	return status;
}

enum rv_status rv_key_value(const struct rv_key *key, const char *text, const char *folder,
			    char **ret_value, struct rv_error *err)
{
	uint64_t number;
	int64_t ms;
	if (text[0] == '\0')
		return rv_fail(err, RV_BAD_CONFIG, "the value is empty");
	for (const char *p = text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return rv_fail(err, RV_BAD_CONFIG, "the value holds a control character");
	switch (key->type) {
	case RV_KEY_LOCATION:
		return location_value(text, folder, ret_value, err);
	case RV_KEY_PATH:
		return path_value(text, folder, ret_value, err);
	case RV_KEY_STATE:
		if (strcmp(text, "auto") == 0)
			break;
		if (strcmp(text, "lake") == 0) {
			rv_fail(err, RV_BAD_CONFIG, "state in the lake is not in this build");
			rv_hint(err, "give auto or a folder; ./lake is a folder of that name");
			return err->status;
		}
		return path_value(text, folder, ret_value, err);
	case RV_KEY_SIZE:
		if (!rv_parse_size(text, &number))
			return rv_fail(err, RV_BAD_CONFIG, "'%s' is not a size such as 64MiB",
				       text);
		if (number == 0)
			return rv_fail(err, RV_BAD_CONFIG, "'%s': a size is at least 1", text);
		break;
	case RV_KEY_DURATION:
		if (!rv_parse_duration(text, &ms))
			return rv_fail(err, RV_BAD_CONFIG, "'%s' is not a time such as 60s", text);
		break;
	case RV_KEY_COUNT:
		if (!rv_parse_u64(text, strlen(text), &number) || number > INT32_MAX)
			return rv_fail(err, RV_BAD_CONFIG, "'%s' is not a number from 0 to %d",
				       text, INT32_MAX);
		break;
	case RV_KEY_CHOICE:
		if (choice_value(key, text, err) != RV_OK)
			return err->status;
		break;
	case RV_KEY_URL:
		if (!rv_url_is_endpoint(text)) {
			/* Not quoted: it may hold a password. */
			rv_fail(err, RV_BAD_CONFIG, "the value is no URL of a host");
			rv_hint(err, "write it as https://host, https://host:port or "
				     "https://host/path");
			return err->status;
		}
		break;
	case RV_KEY_LISTEN:
		if (listen_value(text, err) != RV_OK)
			return err->status;
		break;
	case RV_KEY_ORIGINS:
		if (origins_value(text, err) != RV_OK)
			return err->status;
		break;
	case RV_KEY_TEXT:
		break;
	}
	*ret_value = rv_strdup(text);
	return RV_OK;
}
