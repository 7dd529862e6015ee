/* Where state lives, and that it is ours alone. */
#include "spool/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/memory.h"

static char *lake_root(const char *state_dir, const char *lake_url)
{
	return rv_asprintf("%s/%016" PRIx64, state_dir,
			   (uint64_t)XXH3_64bits(lake_url, strlen(lake_url)));
}

void rv_state_locate(struct rv_state *state, const char *state_dir, const char *lake_url,
		     const struct rv_stream *stream)
{
	*state = (struct rv_state)RV_STATE_INIT;
	state->root = lake_root(state_dir, lake_url);
	state->folder = rv_asprintf("%s/%s/%s/%s", state->root, stream->business, stream->name,
				    *stream->id ? stream->id : "none");
	snprintf(state->business, sizeof(state->business), "%s", stream->business);
	snprintf(state->stream, sizeof(state->stream), "%s", stream->name);
	snprintf(state->stream_id, sizeof(state->stream_id), "%s", stream->id);
}

static enum rv_status refuse(struct rv_error *err)
{
	rv_hint(err, "river keeps what it promised there; set RIVER_STATE_DIR to a folder of yours");
	return err->status;
}

/* A state folder may be shared by a group on purpose (setgid); another user's private one is not
 * ours to use. */
static enum rv_status check_owner(const char *path, struct rv_error *err)
{
	struct stat st;
	if (stat(path, &st) < 0) {
		rv_fail_errno(err, RV_LOCAL_IO, "state folder %s", path);
		return refuse(err);
	}
	bool shared = (st.st_mode & S_ISGID) && (st.st_mode & S_IWGRP);
	if (st.st_uid != geteuid() && !shared) {
		rv_fail(err, RV_LOCAL_IO, "state folder %s belongs to another user (uid %u)", path,
			(unsigned)st.st_uid);
		return refuse(err);
	}
	if (access(path, W_OK | X_OK) < 0) {
		rv_fail_errno(err, RV_LOCAL_IO, "state folder %s", path);
		return refuse(err);
	}
	return RV_OK;
}

static enum rv_status make_private(const char *path, struct rv_error *err)
{
	if (access(path, F_OK) == 0)
		return check_owner(path, err);
	if (rv_make_folders(path, 0700, err) != RV_OK)
		return refuse(err);
	return check_owner(path, err);
}

enum rv_status rv_state_open(struct rv_state *state, const char *state_dir, const char *lake_url,
			     const struct rv_stream *stream, struct rv_error *err)
{
	rv_state_locate(state, state_dir, lake_url, stream);
	static const char *const parts[] = { "runs", "files", "heads" };
	if (make_private(state_dir, err) != RV_OK || make_private(state->root, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) char *note = rv_path_join(state->root, "lake");
	if (access(note, F_OK) < 0) {
		RV_CLEANUP(rv_free_p) char *line = rv_asprintf("%s\n", lake_url);
		if (rv_replace_file(note, line, strlen(line), 0600, err) != RV_OK)
			return refuse(err);
	}
	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_state_path(state, parts[i]);
		if (make_private(path, err) != RV_OK)
			return err->status;
	}
	/* What was there already need not be durable. */
	RV_CLEANUP(rv_free_p) char *deepest = rv_state_path(state, parts[0]);
	if (rv_settle_folder(deepest, err) != RV_OK)
		return refuse(err);
	rv_sweep_temporaries(state->root);
	rv_sweep_temporaries(state->folder);
	return RV_OK;
}

void rv_state_release(struct rv_state *state)
{
	free(state->root);
	free(state->folder);
	*state = (struct rv_state)RV_STATE_INIT;
}

char *rv_state_path(const struct rv_state *state, const char *name)
{
	return rv_path_join(state->folder, name);
}

struct walk {
	const char *state_dir, *lake_url;
	struct rv_stream stream;
	unsigned depth;
	char *path;
	enum rv_status (*each)(void *arg, const struct rv_state *state, struct rv_error *err);
	void *arg;
};

static enum rv_status walk_step(void *arg, const char *name, struct rv_error *err)
{
	struct walk *walk = arg;
	static const size_t sizes[] = { sizeof(walk->stream.business), sizeof(walk->stream.name),
					sizeof(walk->stream.id) };
	char *fields[] = { walk->stream.business, walk->stream.name, walk->stream.id };
	if (strlen(name) >= sizes[walk->depth])
		return RV_OK; /* not river's */
	memcpy(fields[walk->depth], name, strlen(name) + 1);
	if (walk->depth == 2) {
		struct rv_state state;
		rv_state_locate(&state, walk->state_dir, walk->lake_url, &walk->stream);
		enum rv_status status = walk->each(walk->arg, &state, err);
		rv_state_release(&state);
		return status;
	}
	char *outer = walk->path;
	walk->path = rv_path_join(outer, name);
	walk->depth++;
	enum rv_status status = rv_each_entry(walk->path, walk_step, walk, err);
	walk->depth--;
	free(walk->path);
	walk->path = outer;
	return status;
}

enum rv_status rv_state_each(const char *state_dir, const char *lake_url,
			     enum rv_status (*each)(void *arg, const struct rv_state *state,
						    struct rv_error *err),
			     void *arg, struct rv_error *err)
{
	struct walk walk = { .state_dir = state_dir, .lake_url = lake_url, .each = each, .arg = arg };
	walk.path = lake_root(state_dir, lake_url);
	enum rv_status status = rv_each_entry(walk.path, walk_step, &walk, err);
	free(walk.path);
	return status;
}
