/*
 * What a collector is told by river.yaml, and reads again on SIGHUP: limits, who may send, and from which
 * pages of a browser.
 *
 * Write keys stand in a file of their own, a line each: a name ([a-z0-9_-], at most 64) and the key (16 to
 * 128 of A-Z a-z 0-9 . _ ~ + / = -), "#" begins a comment. The file must not be readable by others.
 */
#ifndef RV_COLLECT_SETTINGS_H
#define RV_COLLECT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/strbuf.h"

#define RV_COLLECT_KEYS_MAX 1000

struct rv_collect_key {
	char name[65];
	uint64_t digest[2]; /* seeded at random: what was typed is not kept */
};
struct rv_collect_settings {
	uint64_t max_body_bytes;
	uint64_t max_connections;
	uint64_t rate;              /* requests a second and client; 0: no limit */
	uint64_t remember;          /* events known for sure to be there already; 0: none */
	char **origins;             /* none: any page, without credentials */
	size_t origins_count;
	bool has_keys;
	uint64_t seed;
	struct rv_collect_key *keys;
	size_t keys_count;
};
void rv_collect_settings_release(struct rv_collect_settings *settings);
/* "https://a.example, https://b.example:8443" into `origins`. */
enum rv_status rv_collect_settings_origins(struct rv_collect_settings *settings, const char *text,
					   struct rv_error *err) RV_MUST_CHECK;
/* RV_BAD_CONFIG with the line, or when others may read it. */
enum rv_status rv_collect_settings_keys(struct rv_collect_settings *settings, const char *path,
					struct rv_error *err) RV_MUST_CHECK;
/* Index of the key, -1: none is that. Takes as long for any text. */
int rv_collect_settings_find_key(const struct rv_collect_settings *settings, struct rv_str key);
bool rv_collect_settings_allows(const struct rv_collect_settings *settings, struct rv_str origin);

#endif
