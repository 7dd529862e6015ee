/*
 * Which archives this host has taken as they are now, so that a run with nothing to do opens none of them. It is
 * only a memory: what is missing in it is asked of the ledger, and what is in it holds while the ledger knows the
 * last one of it too.
 */
#include "flow/extract_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "format/json_text.h"
#include "format/xxh3.h"

/* Of one job a line for each archive. Beyond that all are asked of the ledger again. */
#define SEEN_MAX_BYTES (64u << 20)

/* For each lake: what one has, another one may not. */
static enum rv_status seen_file(const struct rv_extract_params *params, char **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder = NULL;
	const char *lake = params->lake->url;

	if (extract_folder(params, &folder, err) != RV_OK)
		return err->status;
	*ret = rv_asprintf("%s/seen-%016" PRIx64 ".ndjson", folder, (uint64_t)XXH3_64bits(lake, strlen(lake)));
	return RV_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct extract_archive *const *x = a, *const *y = b;

	return strcmp((*x)->shown, (*y)->shown);
}

static int compare_place(const void *place, const void *item)
{
	const struct extract_archive *const *a = item;

	return strcmp(place, (*a)->shown);
}

static void recall(const json_t *line, struct extract_archive **by_places, size_t count)
{
	const char *shown = json_string_value(json_object_get(line, "place"));
	const char *identity = json_string_value(json_object_get(line, "identity"));
	struct extract_archive **found, *a;

	if (!shown || !identity ||
	    !(found = bsearch(shown, by_places, count, sizeof(struct extract_archive *), compare_place)))
		return;
	a = *found;
	if (a->bytes == rv_json_get_u64(line, "bytes") &&
	    (uint64_t)a->modified_ms == rv_json_get_u64(line, "modified_ms") &&
	    strlen(identity) == sizeof(a->identity) - 1) {
		memcpy(a->identity, identity, sizeof(a->identity));
		a->seen = true;
	}
}

/* A lake that was emptied, or is another one at the same place, does not know what was taken into the old one. */
static enum rv_status check_lake(const struct rv_extract_params *params, struct extract_archives *archives,
				 struct rv_error *err)
{
	enum extract_known known;
	size_t last = archives->count;

	while (last && !archives->items[last - 1].seen)
		last--;
	if (!last)
		return RV_OK;
	if (extract_known_lake(params, archives->items[last - 1].identity, &known, err) != RV_OK)
		return err->status;
	for (size_t i = 0; known != EXTRACT_TAKEN && i < last; i++)
		archives->items[i].seen = false;
	return RV_OK;
}

enum rv_status extract_remember(const struct rv_extract_params *params, struct extract_archives *archives,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	struct rv_error failed = RV_ERROR_INIT;

	if (seen_file(params, &path, err) != RV_OK)
		return err->status;
	if (rv_read_file(path, SEEN_MAX_BYTES, &text, &failed) != RV_OK) {
		if (failed.status == RV_NOT_FOUND)
			return RV_OK;
		if (failed.status == RV_BAD_DATA)
			return extract_forget(params, err);
		*err = failed;
		return err->status;
	}
	RV_CLEANUP(rv_free_p)
	struct extract_archive **by_places = rv_calloc(archives->count + 1, sizeof(*by_places));

	for (size_t i = 0; i < archives->count; i++)
		by_places[i] = &archives->items[i];
	qsort(by_places, archives->count, sizeof(*by_places), by_place);
	/* by its length: a cut power may leave zeros, and what stands behind them is remembered too */
	for (char *line = text.bytes, *end;
	     (end = memchr(line, '\n', (size_t)(text.bytes + text.len - line))); line = end + 1) {
		/* a damaged line is forgotten: the ledger in the lake knows it all */
		json_t *o = rv_json_line_parse(line, (size_t)(end - line));

		recall(o, by_places, archives->count);
		json_decref(o);
	}
	return check_lake(params, archives, err);
}

enum rv_status extract_forget(const struct rv_extract_params *params, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;

	if (seen_file(params, &path, err) != RV_OK)
		return err->status;
	if (unlink(path) != 0 && errno != ENOENT)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", path);
	return RV_OK;
}

static void put_line(const struct extract_archive *a, struct rv_strbuf *text)
{
	json_t *place = json_string(a->shown); /* NULL: not UTF-8; looked at again then */

	if (place)
		rv_json_line(text, json_pack("{s:o, s:I, s:I, s:s}", "place", place, "bytes", (json_int_t)a->bytes,
					     "modified_ms", (json_int_t)a->modified_ms, "identity", a->identity));
}

enum rv_status extract_keep(const struct rv_extract_params *params, const struct extract_archive *archive,
			    struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	RV_CLEANUP(rv_close_p) int fd = -1;

	if (seen_file(params, &path, err) != RV_OK)
		return err->status;
	fd = rv_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "%s", path);
	put_line(archive, &text);
	return rv_write_all(fd, text.bytes, text.len, path, err);
}

enum rv_status extract_keep_all(const struct rv_extract_params *params, const struct extract_archives *archives,
				struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = NULL;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;

	if (seen_file(params, &path, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < archives->count && text.len < SEEN_MAX_BYTES - 16384; i++)
		if (archives->items[i].seen)
			put_line(&archives->items[i], &text);
	return rv_replace_file(path, text.bytes, text.len, 0600, err);
}
