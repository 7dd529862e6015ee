/* Keys and origins: read, and looked up. */
#include "collect/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/ulid.h"
#include "format/url.h"

#define KEY_FILE_MAX_BYTES (1u << 20)
#define KEY_MIN 16
#define KEY_MAX 128

void rv_collect_settings_release(struct rv_collect_settings *settings)
{
	for (size_t i = 0; i < settings->origins_count; i++)
		free(settings->origins[i]);
	free(settings->origins);
	free(settings->keys);
	*settings = (struct rv_collect_settings){ .max_body_bytes = 0 };
}

enum rv_status rv_collect_settings_origins(struct rv_collect_settings *settings, const char *text,
					   struct rv_error *err)
{
	return rv_url_origins(text, &settings->origins, &settings->origins_count, err);
}

bool rv_collect_settings_allows(const struct rv_collect_settings *settings, struct rv_str origin)
{
	for (size_t i = 0; i < settings->origins_count; i++)
		if (rv_str_is(origin, settings->origins[i]))
			return true;
	return false;
}

/* ---- keys ---- */

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._~+/=-", c));
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static void digest_of(const struct rv_collect_settings *settings, struct rv_str key, uint64_t ret[2])
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(key.p, key.len, settings->seed);
	ret[0] = hash.low64;
	ret[1] = hash.high64;
}

static const char *parse_line(struct rv_collect_settings *settings, const char *line, size_t len,
			      struct rv_collect_key *ret)
{
	size_t name = 0, at;
	while (name < len && is_name_char(line[name]))
		name++;
	if (name == 0 || name >= sizeof(ret->name))
		return "a line is a name of a-z 0-9 _ - and a key";
	for (at = name; at < len && (line[at] == ' ' || line[at] == '\t');)
		at++;
	struct rv_str key = { line + at, len - at };
	if (at == name || !key.len)
		return "a line is a name and a key, with a blank between them";
	for (size_t i = 0; i < key.len; i++)
		if (!is_key_char(key.p[i]))
			return "a key holds letters, digits and . _ ~ + / = - only";
	if (key.len < KEY_MIN || key.len > KEY_MAX)
		return "a key has 16 to 128 characters";
	memcpy(ret->name, line, name);
	ret->name[name] = '\0';
	digest_of(settings, key, ret->digest);
	for (size_t i = 0; i < settings->keys_count; i++) {
		if (strcmp(settings->keys[i].name, ret->name) == 0)
			return "this name has a key already";
		if (memcmp(settings->keys[i].digest, ret->digest, sizeof(ret->digest)) == 0)
			return "this key has a name already";
	}
	return NULL;
}

static enum rv_status check_private(const char *path, struct rv_error *err)
{
	struct stat st;
	if (stat(path, &st) < 0)
		return rv_fail_errno(err, RV_BAD_CONFIG, "look at the write keys in %s", path);
	if (st.st_uid != geteuid() && st.st_uid != 0)
		rv_fail(err, RV_BAD_CONFIG, "the write keys in %s belong to somebody else", path);
	else if (st.st_mode & 027)
		rv_fail(err, RV_BAD_CONFIG, "the write keys in %s can be read by others, or written by a group",
			path);
	else
		return RV_OK;
	rv_hint(err, "chmod 600 %s, or 640 with a group that may read it", path);
	return err->status;
}

enum rv_status rv_collect_settings_keys(struct rv_collect_settings *settings, const char *path,
					struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	size_t capacity = 0;
	uint64_t line_number = 0;
	if (check_private(path, err) != RV_OK)
		return err->status;
	if (rv_read_file(path, KEY_FILE_MAX_BYTES, &text, err) != RV_OK)
		return err->status = RV_BAD_CONFIG;
	rv_random_bytes(&settings->seed, sizeof(settings->seed));
	for (size_t at = 0; at < text.len;) {
		const char *line = text.bytes + at;
		const char *end = memchr(line, '\n', text.len - at);
		size_t len = end ? (size_t)(end - line) : text.len - at;
		struct rv_collect_key key;
		at += len + 1;
		line_number++;
		while (len && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t'))
			len--;
		if (!len || line[0] == '#')
			continue;
		const char *wrong = settings->keys_count == RV_COLLECT_KEYS_MAX
					    ? "there are more than 1000 keys"
					    : parse_line(settings, line, len, &key);
		if (wrong) {
			rv_fail(err, RV_BAD_CONFIG, "%s", wrong);
			rv_error_at(err, path, line_number, 0);
			break;
		}
		RV_GROW(settings->keys, settings->keys_count, capacity);
		settings->keys[settings->keys_count++] = key;
		settings->has_keys = true;
	}
	/* Secrets do not stay in memory that is given back. */
	explicit_bzero(text.bytes, text.len);
	if (line_number && err->status != RV_OK)
		return err->status;
	if (!settings->has_keys)
		return rv_fail(err, RV_BAD_CONFIG, "there is no key in %s", path);
	return RV_OK;
}

int rv_collect_settings_find_key(const struct rv_collect_settings *settings, struct rv_str key)
{
	uint64_t digest[2];
	int found = -1;
	digest_of(settings, key, digest);
	for (size_t i = 0; i < settings->keys_count; i++) {
		const uint64_t *mine = settings->keys[i].digest;
		uint64_t differs = (mine[0] ^ digest[0]) | (mine[1] ^ digest[1]);
		found = differs ? found : (int)i;
	}
	return found;
}
