/* Which archives there are, in which order, and which of them were taken as they are. */
#include "flow/extract_sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/json_text.h"

static void archive_release(struct extract_archive *a)
{
	free(a->place);
	free(a->name);
	free(a->shown);
	free(a->order);
}

void extract_archives_release(struct extract_archives *archives)
{
	for (size_t i = 0; i < archives->count; i++)
		archive_release(&archives->items[i]);
	free(archives->items);
	free(archives->numbers);
	*archives = (struct extract_archives){ 0 };
}

/* Behind whatever came by name before the job said that numbers count: ext-999.zip, and then ext-1000.zip. Names may
 * begin with a folder, so that the literal text before the number does not say enough. */
static char *order_of_number(const struct rv_job *job, const char *name)
{
	uint64_t number;

	/* it is refused later */
	if (!extract_sequence_number(job, name, &number))
		return rv_strdup(name);
	return rv_asprintf("~%.*s~%0*" PRIu64 " %s", (int)strcspn(job->sequence, "*{"), job->sequence,
			   RV_EXTRACT_ORDER_DIGITS, number, name);
}

/* Where names of archives begin: behind the folder of the source in which the first wildcard is, if there is one. So
 * /drop/2026-11-20/ext.zip and /drop/2026-11-21/ext.zip of /drop/<any>/ext.zip are not one name for two extracts. */
static const char *name_of(const struct rv_job *job, const char *shown)
{
	size_t len = job->source ? strcspn(job->source, "*?[") : 0;

	if (!job->source || !job->source[len])
		return rv_path_base(shown);
	while (len && job->source[len - 1] != '/')
		len--;
	RV_CLEANUP(rv_free_p) char *folder = rv_strndup(job->source, len);

	return len && rv_starts_with(shown, folder) ? shown + len : rv_path_base(shown);
}

/* Names of the job begin with folders, and one that was given by hand is in none of them: by name it would be newer
 * than all of them, or older, whatever is in it. */
static enum rv_status check_place(const struct rv_extract_params *params, const char *shown, struct rv_error *err)
{
	const struct rv_job *job = params->job;
	const char *wildcard = job->source ? strpbrk(job->source, "*?[") : NULL;

	if (!params->sources_count || job->source_order != RV_JOB_ORDER_NAME || !wildcard || !strchr(wildcard, '/') ||
	    !extract_merges(job) || strcmp(name_of(job, shown), rv_path_base(shown)) != 0)
		return RV_OK;
	rv_fail(err, RV_CONFLICT, "%s is not below the folders of the job, %s: which extracts it is newer than cannot be "
				  "told", shown, job->source);
	rv_hint(err, "put it where the job finds it, in a folder that has its place among the others");
	return err->status;
}

static void add(const struct rv_extract_params *params, struct extract_archives *archives,
		const char *place, const char *shown, struct rv_store *bucket, uint64_t bytes,
		int64_t modified_ms)
{
	RV_GROW(archives->items, archives->count, archives->capacity);
	struct extract_archive *a = &archives->items[archives->count++];

	*a = (struct extract_archive){ .place = rv_strdup(place), .shown = rv_strdup(shown),
				       .name = rv_strdup(name_of(params->job, shown)), .bucket = bucket,
				       .bytes = bytes, .modified_ms = modified_ms };
	if (params->job->source_order == RV_JOB_ORDER_NAME)
		a->order = rv_strdup(a->name);
	else if (params->job->source_order == RV_JOB_ORDER_NUMBER)
		a->order = order_of_number(params->job, a->name);
	else
		/* behind whatever came by name or by number, which has "~~" in front where a pattern begins with it */
		a->order = rv_asprintf("~~~%0*" PRId64 " %s", RV_EXTRACT_ORDER_DIGITS, modified_ms, a->name);
}

/* ---- files ---- */

static enum rv_status add_file(const struct rv_extract_params *params, struct extract_archives *archives,
			       const char *path, struct rv_error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO, "%s", path);
	if (!S_ISREG(st.st_mode)) {
		rv_fail(err, RV_USAGE, "%s is no regular file", path);
		rv_hint(err, "an archive is read from its end: a pipe cannot be one");
		return err->status;
	}
	RV_CLEANUP(rv_free_p) char *absolute = rv_path_absolute(path);

	if (check_place(params, absolute, err) != RV_OK)
		return err->status;
	add(params, archives, absolute, absolute, NULL, (uint64_t)st.st_size,
	    (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000);
	return RV_OK;
}

struct folder {
	const struct rv_extract_params *params;
	struct extract_archives *archives;
	const char *path;
};

static enum rv_status add_entry(void *arg, const char *name, struct rv_error *err)
{
	struct folder *folder = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder->path, name);
	struct stat st;

	/* only what is called an archive: .part, .tmp and the like are on their way */
	if (fnmatch("*.[zZ][iI][pP]", name, 0) != 0)
		return RV_OK;
	/* one that has gone is nothing; one that cannot be looked at is not nothing to do */
	if (stat(path, &st) != 0)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "%s", path);
	if (!S_ISREG(st.st_mode))
		return RV_OK;
	return add_file(folder->params, folder->archives, path, err);
}

/* Folders that glob(3) cannot look into: it would find nothing in them, and say so. */
static int is_wrong(const char *path RV_UNUSED, int error)
{
	return error != ENOENT;
}

/* A last part without wildcards would be asked for by its name, and where that is forbidden there would be nothing:
 * as a pattern its folder is read. Caller frees. */
static char *as_pattern(const char *path)
{
	const char *base = rv_path_base(path);

	if (strpbrk(base, "*?[\\") || !((*base >= 'a' && *base <= 'z') || (*base >= 'A' && *base <= 'Z') ||
					 (*base >= '0' && *base <= '9')))
		return rv_strdup(path);
	return rv_asprintf("%.*s[%c]%s", (int)(base - path), path, *base, base + 1);
}

static enum rv_status add_path(const struct rv_extract_params *params, struct extract_archives *archives,
			       const char *path, struct rv_error *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		struct folder folder = { params, archives, path };

		return rv_each_entry(path, add_entry, &folder, err);
	}
	if (!strpbrk(path, "*?["))
		return add_file(params, archives, path, err);
	/* A folder that is not there has no archives either, but is a slip or a mount that is missing. */
	RV_CLEANUP(rv_free_p) char *plain = rv_strndup(path, strcspn(path, "*?["));
	char *slash = strrchr(plain, '/');

	if (slash && slash != plain) {
		*slash = '\0';
		if (stat(plain, &st) != 0)
			return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO, "%s", plain);
	}
	RV_CLEANUP(rv_free_p) char *pattern = as_pattern(path);
	glob_t found = { 0 };
	int failed = glob(pattern, GLOB_NOSORT, is_wrong, &found);
	enum rv_status status = RV_OK;

	if (failed && failed != GLOB_NOMATCH) {
		status = rv_fail(err, RV_LOCAL_IO, "%s cannot be searched", path);
		rv_hint(err, "may all folders of this pattern be read?");
	}
	for (size_t i = 0; i < found.gl_pathc && status == RV_OK; i++) {
		struct rv_error gone = RV_ERROR_INIT;

		/* removed between the two looks: there is nothing to take */
		if (add_file(params, archives, found.gl_pathv[i], &gone) != RV_OK &&
		    gone.status != RV_NOT_FOUND) {
			*err = gone;
			status = gone.status;
		}
	}
	globfree(&found);
	return status;
}

/* ---- buckets ---- */

struct listing {
	const struct rv_extract_params *params;
	struct extract_archives *archives;
	struct rv_store *store;
	const char *bucket, *pattern; /* of the whole key */
};

static enum rv_status add_object(void *arg, const struct rv_store_object *object, struct rv_error *err)
{
	struct listing *l = arg;
	RV_CLEANUP(rv_free_p) char *shown = rv_asprintf("s3://%s/%s", l->bucket, object->name);

	if (fnmatch(l->pattern, object->name, FNM_PATHNAME) != 0)
		return RV_OK;
	if (check_place(l->params, shown, err) != RV_OK)
		return err->status;
	add(l->params, l->archives, object->name, shown, l->store, object->bytes, object->modified_ms);
	return RV_OK;
}

/* What of a pattern stands before its first sign that means something, without backslashes. */
static char *plain_start(const char *pattern)
{
	char *plain = rv_strdup(pattern), *o = plain;

	for (const char *c = pattern; *c && !strchr("*?[", *c); c++) {
		if (*c == '\\' && c[1])
			c++;
		*o++ = *c;
	}
	*o = '\0';
	return plain;
}

static enum rv_status add_bucket(const struct rv_extract_params *params,
				 struct extract_archives *archives, const char *url, struct rv_error *err)
{
	const char *key = strchr(url + 5, '/');

	if (!key || key == url + 5)
		return rv_fail(err, RV_USAGE, "%s names no object", url);
	RV_CLEANUP(rv_free_p) char *bucket = rv_strndup(url + 5, (size_t)(key - url - 5));
	RV_CLEANUP(rv_free_p) char *prefix = plain_start(key + 1);
	/* a prefix that ends in a slash is a folder of archives */
	RV_CLEANUP(rv_free_p)
	char *pattern = rv_ends_with(key, "/") ? rv_asprintf("%s*.[zZ][iI][pP]", key + 1)
					       : rv_strdup(key + 1);
	struct listing l = { .params = params, .archives = archives, .bucket = bucket, .pattern = pattern };
	const struct rv_store_list list = { .prefix = prefix };

	if (!params->bucket)
		return rv_fail(err, RV_USAGE, "%s: there is no way to S3 here", url);
	if (params->bucket(params->arg, bucket, &l.store, err) != RV_OK)
		return err->status;
	return l.store->ops->list(l.store, &list, add_object, &l, err);
}

/* ---- days ---- */

/* 2026-11-20 or 20261120, in digits alone; what stands behind it may be more of them. */
static bool day_at(const char *s, char ret[RV_TIME_TEXT])
{
	size_t digits = strspn(s, "0123456789");
	char text[RV_TIME_TEXT];
	int64_t ms;

	if (digits == 4)
		snprintf(text, sizeof(text), "%.10sT00:00:00Z", s);
	else if (digits >= 8)
		snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT00:00:00Z", s, s + 4, s + 6);
	else
		return false;
	if (!rv_parse_time(text, strlen(text), &ms) || strcmp(text, "1900") < 0)
		return false;
	snprintf(ret, RV_TIME_TEXT, "%.10s", text);
	return true;
}

/* The first day in a name. */
static bool find_day(const char *name, char ret[RV_TIME_TEXT])
{
	for (const char *s = name; *s; s++)
		if ((s == name || s[-1] < '0' || s[-1] > '9') && day_at(s, ret))
			return true;
	return false;
}

/* The day in the file's name, or else in those of folders that the source leaves open, or else that of the file. */
static void day_of(const struct extract_archive *archive, char ret[RV_TIME_TEXT])
{
	if (!find_day(rv_path_base(archive->name), ret) && !find_day(archive->name, ret))
		rv_format_day(archive->modified_ms, ret);
}

static int by_order(const void *a, const void *b)
{
	const struct extract_archive *x = a, *y = b;
	int order = strcmp(x->order, y->order);

	return order ? order : strcmp(x->shown, y->shown);
}

static int by_place(const void *a, const void *b)
{
	const struct extract_archive *x = a, *y = b;

	return strcmp(x->shown, y->shown);
}

/* One that was named twice is one. There may be a hundred thousand. */
static void drop_repeated(struct extract_archives *archives)
{
	size_t kept = 0;

	if (archives->count)
		qsort(archives->items, archives->count, sizeof(*archives->items), by_place);
	for (size_t i = 0; i < archives->count; i++)
		if (kept && strcmp(archives->items[kept - 1].shown, archives->items[i].shown) == 0)
			archive_release(&archives->items[i]);
		else
			archives->items[kept++] = archives->items[i];
	archives->count = kept;
}

static void keep_days(const struct rv_extract_params *params, struct extract_archives *archives)
{
	size_t kept = 0;

	for (size_t i = 0; i < archives->count; i++) {
		struct extract_archive *a = &archives->items[i];
		char day[RV_TIME_TEXT];

		day_of(a, day);
		if ((params->date && strcmp(day, params->date) != 0) ||
		    (params->since && strcmp(day, params->since) < 0)) {
			archive_release(a);
			continue;
		}
		archives->items[kept++] = *a;
	}
	archives->count = kept;
}

enum rv_status extract_find(const struct rv_extract_params *params, struct extract_archives *ret,
			    struct rv_error *err)
{
	char *const one[] = { params->job->source };
	char *const *sources = params->sources_count ? params->sources : one;
	size_t count = params->sources_count ? params->sources_count : one[0] ? 1 : 0;

	if (!count) {
		rv_fail(err, RV_USAGE, "the job %s does not say where its extracts are", params->job->name);
		rv_hint(err, "write source: { path: \"/drop/*.zip\" } into %s, or name an archive",
			params->job->file);
		return err->status;
	}
	for (size_t i = 0; i < count; i++)
		if ((rv_starts_with(sources[i], "s3://") ? add_bucket(params, ret, sources[i], err)
							 : add_path(params, ret, sources[i], err)) != RV_OK)
			return err->status;
	drop_repeated(ret);
	keep_days(params, ret);
	if (ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_order);
	if (params->job->sequence)
		extract_sequence_find(params->job, ret);
	return RV_OK;
}

/* ---- opening ---- */

struct fetch {
	int fd;
	const char *what;
};

static enum rv_status fetch_piece(void *arg, const void *p, size_t len, struct rv_error *err)
{
	struct fetch *fetch = arg;

	return rv_write_all(fetch->fd, p, len, fetch->what, err);
}

enum rv_status extract_folder(const struct rv_extract_params *params, char **ret, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *folder =
		rv_asprintf("%s/extracts/%s", params->state_dir, params->job->name);

	if (rv_make_folders(folder, 0700, err) != RV_OK)
		return err->status;
	*ret = rv_take(folder);
	return RV_OK;
}

enum rv_status extract_open(const struct rv_extract_params *params, const struct extract_archive *archive,
			    struct rv_zip **ret, int *ret_fd, struct rv_error *err)
{
	const struct rv_zip_limits limits = { .max_bytes = params->job->max_bytes,
					      .max_ratio = params->job->max_ratio,
					      .max_entries = params->job->max_entries };
	int fd = -1;

	if (!archive->bucket) {
		fd = rv_open(archive->place, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
		if (fd < 0)
			return rv_fail_errno(err, errno == ENOENT ? RV_NOT_FOUND : RV_LOCAL_IO, "%s",
					     archive->shown);
	} else {
		RV_CLEANUP(rv_free_p) char *folder = NULL;
		RV_CLEANUP(rv_free_p) char *path = NULL;

		if (extract_folder(params, &folder, err) != RV_OK ||
		    rv_temporary_open(folder, 0600, &path, &fd, err) != RV_OK)
			return err->status;
		struct fetch fetch = { fd, archive->shown };

		unlink(path);
		if (archive->bucket->ops->read(archive->bucket, archive->place, fetch_piece, &fetch, err) !=
		    RV_OK) {
			rv_close_p(&fd);
			return rv_context(err, "fetch %s", archive->shown);
		}
	}
	*ret_fd = fd;
	return rv_zip_open(fd, archive->shown, &limits, ret, err);
}
