/*
 * Any bytes as a file of write keys, as origins, and as events that were seen: a key that was read is found under
 * its name and no other text is one, and what a window remembers is what came last. The first byte chooses.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "collect/seen.h"
#include "collect/settings.h"

static void try_keys(const char *p, size_t len)
{
	RV_CLEANUP(rv_collect_settings_release) struct rv_collect_settings settings = { .max_body_bytes = 0 };
	struct rv_error err = RV_ERROR_INIT;
	char path[64];
	int fd = memfd_create("keys", MFD_CLOEXEC);

	CHECK(fd >= 0 && fchmod(fd, 0600) == 0 && write(fd, p, len) == (ssize_t)len);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	enum rv_status status = rv_collect_settings_keys(&settings, path, &err);

	close(fd);
	if (status != RV_OK) {
		CHECK(status == RV_BAD_CONFIG && err.message[0]);
		return;
	}
	CHECK(settings.has_keys && settings.keys_count > 0 && settings.keys_count <= RV_COLLECT_KEYS_MAX);
	/* each line by hand */
	size_t found = 0;
	const char *end = p + len;

	for (const char *line = p, *newline; line < end; line = newline + 1) {
		newline = memchr(line, '\n', (size_t)(end - line));
		newline = newline ? newline : end;
		RV_CLEANUP(rv_free_p) char *text = exact_text(line, (size_t)(newline - line));
		char *blank = strpbrk(text, " \t"), *key = blank ? blank + strspn(blank, " \t") : NULL;

		/* a line of carriage returns and blanks is empty: no name begins with one */
		if (!key || text[0] == '#' || text[0] == '\r' || blank == text)
			continue;
		key[strcspn(key, " \t\r")] = '\0';
		*blank = '\0';
		int i = rv_collect_settings_find_key(&settings, rv_str_of(key));

		CHECK(i >= 0 && strcmp(settings.keys[i].name, text) == 0);
		found++;
		key[0] = key[0] == 'x' ? 'y' : 'x';
		i = rv_collect_settings_find_key(&settings, rv_str_of(key));
		CHECK(i < 0 || strcmp(settings.keys[i].name, text) != 0);
	}
	CHECK(found == settings.keys_count);
	CHECK(rv_collect_settings_find_key(&settings, (struct rv_str){ p, len > 200 ? 200 : 0 }) < 0);
}

static void try_origins(const char *text)
{
	RV_CLEANUP(rv_collect_settings_release) struct rv_collect_settings settings = { .max_body_bytes = 0 };
	struct rv_error err = RV_ERROR_INIT;

	if (rv_collect_settings_origins(&settings, text, &err) != RV_OK) {
		CHECK(err.status == RV_BAD_CONFIG && err.message[0]);
		return;
	}
	for (size_t i = 0; i < settings.origins_count; i++) {
		const char *origin = settings.origins[i];

		CHECK(strncmp(origin, "http", 4) == 0 && strstr(text, origin) && !strpbrk(origin, " ,\r\n\""));
		CHECK(rv_collect_settings_allows(&settings, rv_str_of(origin)));
		CHECK(!rv_collect_settings_allows(&settings, (struct rv_str){ origin, strlen(origin) - 1 }) ||
		      settings.origins_count > 1);
	}
	CHECK(!rv_collect_settings_allows(&settings, RV_STR("null")));
}

/* A byte is an event; a zero asks for all. */
static void try_seen(const uint8_t *p, size_t len)
{
	struct rv_seen_window window = { .least = 1 + len % 7 };
	size_t last[256] = { 0 }, added = 0;

	for (size_t i = 0; i < len; i++) {
		struct rv_seen_id id = rv_seen_id_of(1, (struct rv_str){ (const char *)&p[i], 1 });

		if (last[p[i]] && added - last[p[i]] < window.least)
			CHECK(rv_seen_window_has(&window, id));
		if (last[p[i]] == 0)
			CHECK(!rv_seen_window_has(&window, id));
		if (!rv_seen_window_has(&window, id)) {
			rv_seen_window_add(&window, id);
			last[p[i]] = ++added;
		}
		CHECK(rv_seen_window_has(&window, id));
		CHECK(window.now.count + window.before.count <= 2 * window.least + 1);
	}
	rv_seen_window_release(&window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 8192)
		return 0;
	RV_CLEANUP(rv_free_p) char *p = exact_copy(data + 1, size - 1);
	RV_CLEANUP(rv_free_p) char *text = exact_text(data + 1, size - 1);

	switch (data[0] % 3) {
	case 0: try_keys(p, size - 1); break;
	case 1: try_origins(text); break;
	default: try_seen((const uint8_t *)p, size - 1);
	}
	return 0;
}
