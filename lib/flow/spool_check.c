/* Verifies the state of a stream without touching it. */
#include "flow/spool_check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "spool/checkpoint.h"
#include "spool/intake.h"
#include "spool/run.h"

static void find(struct rv_spool_check *check, enum rv_finding_kind kind, const char *path,
		 uint64_t line, const char *fmt, ...) RV_PRINTF(5, 6);
static void find(struct rv_spool_check *check, enum rv_finding_kind kind, const char *path,
		 uint64_t line, const char *fmt, ...)
{
	char message[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	check->damaged += kind != RV_FINDING_LEFTOVER;
	struct rv_finding finding = { kind, path, line, message };
	check->finding(check->arg, &finding);
}

/* The spool file went, and the note that its batch landed may be lost with a power cut. */
static enum rv_status check_gone(struct rv_spool_check *check, const struct rv_run *run,
				 const struct rv_batch_entry *entry, const char *path,
				 struct rv_error *err)
{
	struct rv_store_object object;
	const char *name = entry->records ? entry->name : entry->rejects_name;
	enum rv_status status = check->lake->ops->head(check->lake, name, &object, err);
	if (status == RV_OK)
		find(check, RV_FINDING_LEFTOVER, path, 0,
		     "batch %" PRIu64 " of run %s is in the lake, only the note of it is missing",
		     entry->seq, run->name);
	/* A service names its objects itself: there is nothing to ask for, unless it was diverted. */
	else if (status == RV_NOT_FOUND && run->delivery[0] && entry->records)
		find(check, RV_FINDING_DAMAGED, path, 0,
		     "the spooled batch is gone, and nothing says that %s took it", run->delivery);
	else if (status == RV_NOT_FOUND)
		find(check, RV_FINDING_DAMAGED, path, 0,
		     "the spooled batch is gone, and %s is not in the lake", name);
	else
		find(check, RV_FINDING_DAMAGED, path, 0,
		     "the spooled batch is gone, and the lake cannot be asked for it: %s",
		     err->message);
	return RV_OK;
}

static enum rv_status check_spooled(struct rv_spool_check *check, const struct rv_run *run,
				    const struct rv_batch_entry *entry, const char *path,
				    uint64_t bytes, uint64_t hash, struct rv_error *err)
{
	RV_CLEANUP(rv_close_p) int fd = rv_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
	if (fd < 0 && errno == ENOENT)
		return check_gone(check, run, entry, path, err);
	if (fd < 0) {
		find(check, RV_FINDING_DAMAGED, path, 0, "it cannot be opened: %s", strerror(errno));
		return RV_OK;
	}
	if (rv_run_check_spooled(fd, path, bytes, hash, err) != RV_OK)
		find(check, RV_FINDING_DAMAGED, path, 0, "%s", err->message);
	return RV_OK;
}

static enum rv_status check_batch(struct rv_spool_check *check, const struct rv_run *run,
				  const struct rv_batch_entry *entry, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *body = rv_run_body_path(run, entry->seq);
	RV_CLEANUP(rv_free_p) char *rejects = rv_run_rejects_path(run, entry->seq);
	check->batches++;
	if (check_spooled(check, run, entry, body, entry->bytes, entry->body_hash, err) != RV_OK)
		return err->status;
	return entry->rejected ? check_spooled(check, run, entry, rejects, entry->rejects_bytes,
					       entry->rejects_body_hash, err)
			       : RV_OK;
}

/* What a collector has accepted and is in no batch yet. */
static enum rv_status check_intakes(struct rv_spool_check *check, struct rv_run *run, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) uint64_t *seqs = NULL;
	size_t count = 0;
	if (rv_run_intakes(run, &seqs, &count, err) != RV_OK)
		return err->status;
	for (size_t i = 0; i < count; i++) {
		RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(run, seqs[i]);
		struct rv_intake_totals totals = { .damage = RV_ERROR_INIT };
		if (rv_run_intake_add(run, seqs[i], &totals, err) != RV_OK)
			find(check, RV_FINDING_DAMAGED, path, 0, "%s", err->message);
		else if (totals.damage.status != RV_OK)
			find(check, RV_FINDING_DAMAGED, path, 0, "%s", totals.damage.message);
	}
	return RV_OK;
}

struct folder_walk {
	struct rv_spool_check *check;
	const struct rv_run *run;
	const char *folder;
};

/* Does the run's journal still need this file of its folder? */
static bool is_needed(const struct rv_run *run, const char *name)
{
	const char *dot = strchr(name, '.');
	uint64_t seq;
	if (strcmp(name, "journal") == 0)
		return true;
	/* What it was made of stays for a while, and goes with the run. */
	if (run->intake && dot && strcmp(dot, ".intake") == 0)
		return true;
	if (!dot || (strcmp(dot, ".body") != 0 && strcmp(dot, ".rejects") != 0 &&
		     strcmp(dot, ".sent") != 0) ||
	    !rv_parse_u64(name, (size_t)(dot - name), &seq))
		return false;
	for (size_t i = 0; i < run->batches_count; i++)
		if (run->batches[i].seq == seq)
			return run->batches[i].state == RV_BATCH_WAITING;
	return false;
}

static enum rv_status check_run_file(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct folder_walk *walk = arg;
	if (is_needed(walk->run, name))
		return RV_OK;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(walk->folder, name);
	find(walk->check, RV_FINDING_LEFTOVER, path, 0, "no batch that waits needs it");
	return RV_OK;
}

static enum rv_status check_run(void *arg, const char *name, struct rv_error *err)
{
	struct rv_spool_check *check = arg;
	RV_CLEANUP(rv_run_free_p) struct rv_run *run = NULL;
	RV_CLEANUP(rv_free_p) char *folder = rv_asprintf("%s/runs/%s", check->state->folder, name);
	enum rv_status status = rv_run_open(check->state, name, false, &run, err);
	if (status == RV_NOT_FOUND) {
		find(check, RV_FINDING_LEFTOVER, folder, 0,
		     "the run was never begun: nothing was promised");
		return RV_OK;
	}
	check->runs++;
	if (status != RV_OK) {
		find(check, RV_FINDING_DAMAGED, *err->file ? err->file : folder, err->line, "%s",
		     err->message);
		return RV_OK;
	}
	if (rv_run_is_alive(run)) {
		check->alive_runs++;
		return RV_OK;
	}
	for (size_t i = 0; i < run->batches_count; i++)
		if (run->pipe && run->batches[i].state == RV_BATCH_WAITING &&
		    check_batch(check, run, &run->batches[i], err) != RV_OK)
			return err->status;
	if (check_intakes(check, run, err) != RV_OK)
		return err->status;
	struct folder_walk walk = { check, run, folder };
	return rv_each_entry(folder, check_run_file, &walk, err);
}

static enum rv_status check_aside(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct rv_spool_check *check = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/damaged/%s", check->state->folder, name);
	find(check, RV_FINDING_SET_ASIDE, path, 0, "it was found damaged and set aside");
	return RV_OK;
}

static enum rv_status check_checkpoint(void *arg, const char *name, struct rv_error *err)
{
	struct rv_spool_check *check = arg;
	bool found;
	if (rv_ends_with(name, ".batches"))
		return RV_OK;
	RV_CLEANUP(rv_checkpoint_release) struct rv_checkpoint c = { .offset = 0 };
	RV_CLEANUP(rv_free_p) char *path = rv_asprintf("%s/files/%s", check->state->folder, name);
	check->checkpoints++;
	enum rv_status status = rv_checkpoint_load(check->state, name, &c, &found, err);
	if (status != RV_OK)
		find(check, RV_FINDING_DAMAGED, path, 1, "%s", err->message);
	else if (found && strcmp(c.key, name) != 0)
		find(check, RV_FINDING_DAMAGED, path, 1, "it is the checkpoint of another file: %s",
		     c.key);
	return RV_OK;
}

/* Names that begin with a dot: what was being written. */
static enum rv_status check_dots(struct rv_spool_check *check, const char *folder, struct rv_error *err)
{
	DIR *dir = rv_opendir(folder);
	if (!dir)
		return errno == ENOENT ? RV_OK : rv_fail_errno(err, RV_LOCAL_IO, "read folder %s", folder);
	const struct dirent *entry;
	while ((entry = readdir(dir))) {
		RV_CLEANUP(rv_free_p) char *path = rv_path_join(folder, entry->d_name);
		if (rv_starts_with(entry->d_name, RV_TEMPORARY_PREFIX))
			find(check, RV_FINDING_LEFTOVER, path, 0, "a temporary file");
	}
	closedir(dir);
	return RV_OK;
}

struct head_check {
	struct rv_spool_check *check;
	const char *folder;
};

static enum rv_status check_head(void *arg, const char *name, struct rv_error *err RV_UNUSED)
{
	struct head_check *head = arg;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(head->folder, name);
	RV_CLEANUP(rv_free_p)
	char *file = rv_asprintf("%s/files/%s", head->check->state->folder, name);
	if (access(file, F_OK) < 0)
		find(head->check, RV_FINDING_LEFTOVER, path, 0, "it leads to no checkpoint");
	return RV_OK;
}

static enum rv_status check_heads(void *arg, const char *name, struct rv_error *err)
{
	struct rv_spool_check *check = arg;
	RV_CLEANUP(rv_free_p) char *folder = rv_asprintf("%s/heads/%s", check->state->folder, name);
	struct head_check head = { check, folder };
	return rv_each_entry(folder, check_head, &head, err);
}

enum rv_status rv_spool_check(struct rv_spool_check *check, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *damaged = rv_state_path(check->state, "damaged");
	RV_CLEANUP(rv_free_p) char *files = rv_state_path(check->state, "files");
	RV_CLEANUP(rv_free_p) char *heads = rv_state_path(check->state, "heads");
	if (rv_run_each(check->state, check_run, check, err) != RV_OK ||
	    rv_each_entry(damaged, check_aside, check, err) != RV_OK ||
	    rv_each_entry(files, check_checkpoint, check, err) != RV_OK ||
	    check_dots(check, files, err) != RV_OK ||
	    rv_each_entry(heads, check_heads, check, err) != RV_OK)
		return err->status;
	return check_dots(check, check->state->folder, err);
}
