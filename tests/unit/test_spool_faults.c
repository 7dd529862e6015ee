/* Each thing that is done in the state folder, while each kind of system call fails: it is done all the same, or
 * said with its place and the system's reason, and done when it is asked for again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "failing_call.h"

#include "base/file.h"
#include "base/memory.h"
#include "flow/input.h"
#include "spool/checkpoint.h"
#include "spool/intake.h"
#include "spool/run.h"
#include "spool/state.h"

#define NOW 1795193931123 /* 2026-11-20T16:58:51.123Z */
#define KEY "1-2-3"
#define BODY "hello"
#define BODY_HASH UINT64_C(0x9555e8555c62dcfd) /* XXH3-64 */

struct world {
	char folder[64];
	char *file;
	struct rv_stream stream;
	struct rv_state state;
	struct rv_run *run;
	struct rv_checkpoint checkpoint;
	int fd;
	bool found;
};

struct operation {
	const char *name;
	bool (*prepare)(struct world *w); /* with what an attempt before may have left */
	enum rv_status (*act)(struct world *w, struct rv_error *err);
};

/* ---- what there has to be ---- */

static bool nothing(struct world *w RV_UNUSED)
{
	return true;
}

static bool a_state(struct world *w)
{
	struct rv_error err;

	return rv_state_open(&w->state, w->folder, "/lake", &w->stream, &err) == RV_OK;
}

static bool a_file(struct world *w)
{
	w->fd = open(w->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return w->fd >= 0 && pwrite(w->fd, BODY, strlen(BODY), 0) == (ssize_t)strlen(BODY);
}

static bool a_run(struct world *w)
{
	struct rv_error err;

	if (!a_state(w))
		return false;
	enum rv_status status = rv_run_open(&w->state, "r1", true, &w->run, &err);

	if (status != RV_NOT_FOUND)
		return status == RV_OK;
	if (rv_run_create(&w->state, "r1", NOW, &w->run, &err) != RV_OK)
		return false;
	w->run->pipe = w->run->named = w->run->intake = true;
	free(w->run->source);
	w->run->source = rv_strdup("a name");
	return rv_run_begin(w->run, &err) == RV_OK;
}

static enum rv_status promise(struct world *w, struct rv_error *err)
{
	struct rv_batch_entry there;
	struct rv_batch_entry entry = {
		.name = rv_strdup("data/web/clicks/dt=2026-11-20/hr=16/r1-000000-r3-h0000000000000001.ndjson"),
		.records = 3,
		.bytes = strlen(BODY),
		.input_to = 100,
	};

	if (rv_run_entry(w->run, 0, &there)) {
		rv_batch_entry_release(&entry);
		return RV_OK;
	}
	enum rv_status status = rv_run_promise(w->run, &entry, err);

	rv_batch_entry_release(&entry);
	return status;
}

static bool a_batch(struct world *w)
{
	struct rv_error err;

	return a_run(w) && promise(w, &err) == RV_OK;
}

/* Nobody has it open. */
static bool a_run_that_was_left(struct world *w)
{
	bool good = a_batch(w);

	rv_run_free(rv_take(w->run));
	return good;
}

static bool an_intake(struct world *w)
{
	char head[RV_INTAKE_HEAD];
	const struct rv_intake_frame frame = { RV_INTAKE_RECORDS, 1, RV_STR("{\"n\":1}\n") };
	struct rv_error err;

	if (!a_run(w))
		return false;
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, 5);

	rv_intake_head(&frame, head);
	w->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	return w->fd >= 0 && rv_write_all(w->fd, head, sizeof(head), path, &err) == RV_OK &&
	       rv_write_all(w->fd, frame.bytes.p, frame.bytes.len, path, &err) == RV_OK;
}

/* A hole in front of a whole frame. */
static bool a_damaged_intake(struct world *w)
{
	static const char zeros[100];
	char bytes[200];

	if (!an_intake(w))
		return false;
	ssize_t n = pread(w->fd, bytes, sizeof(bytes), 0);

	return n > 0 && pwrite(w->fd, zeros, sizeof(zeros), 0) == (ssize_t)sizeof(zeros) &&
	       pwrite(w->fd, bytes, (size_t)n, sizeof(zeros)) == n;
}

static void fill(struct rv_checkpoint *c)
{
	*c = (struct rv_checkpoint){
		.path = rv_strdup("/data/app.log"),
		.format = rv_strdup("ndjson"),
		.compression = rv_strdup("none"),
		.offset = 3,
		.first_record = 77,
	};
	snprintf(c->key, sizeof(c->key), KEY);
}

static bool a_file_with_key(struct world *w)
{
	struct rv_error err;

	return a_file(w) && rv_file_key(w->fd, w->file, w->checkpoint.key, &err) == RV_OK;
}

static bool a_new_checkpoint(struct world *w)
{
	fill(&w->checkpoint);
	return a_state(w);
}

static bool a_checkpoint(struct world *w)
{
	struct rv_error err;

	return a_new_checkpoint(w) && rv_checkpoint_save(&w->state, &w->checkpoint, true, &err) == RV_OK;
}

static bool a_checkpoint_and_file(struct world *w)
{
	return a_file(w) && a_checkpoint(w);
}

static enum rv_status note(struct world *w, struct rv_error *err)
{
	char name[] = "data/x";
	const struct rv_batch_entry entry = { .name = name, .bytes = 5 };
	const struct rv_extent extent = { .from = 0, .to = 3 };

	return rv_checkpoint_note_batch(&w->state, KEY, w->run, &entry, &extent, true, err);
}

static bool a_note(struct world *w)
{
	struct rv_error err;

	fill(&w->checkpoint);
	return a_run(w) && note(w, &err) == RV_OK;
}

/* ---- what is done ---- */

static enum rv_status open_state(struct world *w, struct rv_error *err)
{
	return rv_state_open(&w->state, w->folder, "/lake", &w->stream, err);
}

static enum rv_status see_state(void *arg, const struct rv_state *state RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	((struct world *)arg)->found = true;
	return RV_OK;
}

static enum rv_status each_state(struct world *w, struct rv_error *err)
{
	w->found = false;
	if (rv_state_each(w->folder, "/lake", see_state, w, err) != RV_OK)
		return err->status;
	return w->found ? RV_OK : rv_fail(err, RV_FAILED, "there is said to be none");
}

static enum rv_status create_run(struct world *w, struct rv_error *err)
{
	if (rv_run_create(&w->state, "r2", NOW, &w->run, err) != RV_OK)
		return err->status;
	return rv_run_begin(w->run, err);
}

static enum rv_status open_run(struct world *w, struct rv_error *err)
{
	return rv_run_open(&w->state, "r1", true, &w->run, err);
}

static enum rv_status look_at_run(struct world *w, struct rv_error *err)
{
	return rv_run_open(&w->state, "r1", false, &w->run, err);
}

static enum rv_status note_sent(struct world *w, struct rv_error *err)
{
	return rv_run_sent(w->run, 0, err);
}

static enum rv_status note_landed(struct world *w, struct rv_error *err)
{
	return rv_run_landed(w->run, 0, err);
}

static enum rv_status note_dropped(struct world *w, struct rv_error *err)
{
	return rv_run_dropped(w->run, 0, err);
}

static enum rv_status close_run(struct world *w, struct rv_error *err)
{
	return rv_run_close(w->run, err);
}

static enum rv_status remove_run(struct world *w, struct rv_error *err)
{
	return rv_run_remove(w->run, err);
}

static enum rv_status see_run(void *arg, const char *run RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	((struct world *)arg)->found = true;
	return RV_OK;
}

static enum rv_status each_run(struct world *w, struct rv_error *err)
{
	w->found = false;
	if (rv_run_each(&w->state, see_run, w, err) != RV_OK)
		return err->status;
	return w->found ? RV_OK : rv_fail(err, RV_FAILED, "there is said to be none");
}

static enum rv_status spool_bytes(struct world *w, struct rv_error *err)
{
	uint64_t bytes;

	if (rv_spool_bytes(&w->state, &bytes, err) != RV_OK)
		return err->status;
	return bytes > 0 ? RV_OK : rv_fail(err, RV_FAILED, "it is said to be empty");
}

static enum rv_status check_spooled(struct world *w, struct rv_error *err)
{
	return rv_run_check_spooled(w->fd, w->file, strlen(BODY), BODY_HASH, err);
}

static enum rv_status see_frame(void *arg, struct rv_intake_frame *frame RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	((struct world *)arg)->found = true;
	return RV_OK;
}

static enum rv_status read_intake(struct world *w, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, 5);

	return rv_intake_read(w->fd, path, see_frame, w, err);
}

/* Taken for torn, what stands behind the hole would be lost and nobody be told. */
static enum rv_status read_damaged_intake(struct world *w, struct rv_error *err)
{
	RV_CLEANUP(rv_free_p) char *path = rv_run_intake_path(w->run, 5);
	enum rv_status status = rv_intake_read(w->fd, path, see_frame, w, err);

	return status == RV_DAMAGED ? RV_OK : status != RV_OK ? status : rv_fail(err, RV_FAILED, "it is said to be whole");
}

static enum rv_status count_intakes(struct world *w, struct rv_error *err)
{
	struct rv_intake_totals totals;

	if (rv_run_intake_totals(w->run, &totals, err) != RV_OK)
		return err->status;
	return totals.records == 1 ? RV_OK : rv_fail(err, RV_FAILED, "%d records", (int)totals.records);
}

static enum rv_status file_key(struct world *w, struct rv_error *err)
{
	char key[RV_FILE_KEY_TEXT];

	return rv_file_key(w->fd, w->file, key, err);
}

/* Not found, what was promised of it would be dropped. */
static enum rv_status find_file(struct world *w, struct rv_error *err)
{
	RV_CLEANUP(rv_input_file_release) struct rv_input_file file = RV_INPUT_FILE_INIT;

	if (rv_input_file_find(w->folder, w->checkpoint.key, &file, err) != RV_OK)
		return err->status;
	return file.fd >= 0 ? RV_OK : rv_fail(err, RV_FAILED, "it is said to be gone");
}

static enum rv_status save_checkpoint(struct world *w, struct rv_error *err)
{
	return rv_checkpoint_save(&w->state, &w->checkpoint, true, err);
}

static enum rv_status load_checkpoint(struct world *w, struct rv_error *err)
{
	struct rv_checkpoint there;
	bool found;

	if (rv_checkpoint_load(&w->state, KEY, &there, &found, err) != RV_OK)
		return err->status;
	rv_checkpoint_release(&there);
	return found ? RV_OK : rv_fail(err, RV_FAILED, "it is taken for a file that is not known");
}

static enum rv_status remove_checkpoint(struct world *w, struct rv_error *err)
{
	return rv_checkpoint_remove(&w->state, &w->checkpoint, err);
}

static enum rv_status sync_checkpoints(struct world *w, struct rv_error *err)
{
	return rv_checkpoint_sync(&w->state, err);
}

static enum rv_status move_checkpoint(struct world *w, struct rv_error *err)
{
	return rv_checkpoint_move(&w->state, &w->checkpoint, "4-5-6", "/data/app.log.1", err);
}

static enum rv_status detach_checkpoint(struct world *w, struct rv_error *err)
{
	return rv_checkpoint_detach(&w->state, &w->checkpoint, err);
}

static enum rv_status see_head(void *arg, struct rv_checkpoint *c RV_UNUSED, struct rv_error *err RV_UNUSED)
{
	((struct world *)arg)->found = true;
	return RV_OK;
}

static enum rv_status find_head(struct world *w, struct rv_error *err)
{
	w->found = false;
	if (rv_checkpoint_each_head(&w->state, 77, see_head, w, err) != RV_OK)
		return err->status;
	return w->found ? RV_OK : rv_fail(err, RV_FAILED, "it is taken for a file that is not known");
}

static enum rv_status any_checkpoint(struct world *w, struct rv_error *err)
{
	bool any;

	if (rv_checkpoint_any(&w->state, &any, err) != RV_OK)
		return err->status;
	return any ? RV_OK : rv_fail(err, RV_FAILED, "none is said to be there");
}

static enum rv_status match_file(struct world *w, struct rv_error *err)
{
	bool same;

	free(w->checkpoint.path);
	w->checkpoint.path = rv_strdup(w->file);
	if (rv_checkpoint_measure(&w->checkpoint, w->fd, err) != RV_OK ||
	    rv_checkpoint_matches(&w->checkpoint, w->fd, &same, err) != RV_OK)
		return err->status;
	return same ? RV_OK : rv_fail(err, RV_FAILED, "it does not match itself");
}

static enum rv_status see_batch(void *arg, const struct rv_file_batch *batch RV_UNUSED,
				struct rv_error *err RV_UNUSED)
{
	((struct world *)arg)->found = true;
	return RV_OK;
}

static enum rv_status each_batch(struct world *w, struct rv_error *err)
{
	w->found = false;
	if (rv_checkpoint_each_batch(&w->state, KEY, see_batch, w, err) != RV_OK)
		return err->status;
	return w->found ? RV_OK : rv_fail(err, RV_FAILED, "the file is said to be nowhere");
}

static const struct operation operations[] = {
	{ "open the state", nothing, open_state },
	{ "look for states", a_state, each_state },
	{ "begin a run", a_state, create_run },
	{ "open a run", a_run_that_was_left, open_run },
	{ "look at a run", a_run_that_was_left, look_at_run },
	{ "promise a batch", a_run, promise },
	{ "note that it was sent", a_batch, note_sent },
	{ "note that it landed", a_batch, note_landed },
	{ "note that it was dropped", a_batch, note_dropped },
	{ "close a run", a_batch, close_run },
	{ "remove a run", a_batch, remove_run },
	{ "look for runs", a_batch, each_run },
	{ "measure the spool", an_intake, spool_bytes },
	{ "check what was spooled", a_file, check_spooled },
	{ "read an intake", an_intake, read_intake },
	{ "read a damaged intake", a_damaged_intake, read_damaged_intake },
	{ "count intakes", an_intake, count_intakes },
	{ "know a file", a_file, file_key },
	{ "find a file by its key", a_file_with_key, find_file },
	{ "save a checkpoint", a_new_checkpoint, save_checkpoint },
	{ "load a checkpoint", a_checkpoint, load_checkpoint },
	{ "remove a checkpoint", a_checkpoint, remove_checkpoint },
	{ "sync checkpoints", a_checkpoint, sync_checkpoints },
	{ "move a checkpoint", a_checkpoint, move_checkpoint },
	{ "detach a checkpoint", a_checkpoint, detach_checkpoint },
	{ "find a checkpoint", a_checkpoint, find_head },
	{ "ask whether there are any", a_checkpoint, any_checkpoint },
	{ "compare a file", a_checkpoint_and_file, match_file },
	{ "note a file's batch", a_note, note },
	{ "read a file's batches", a_note, each_batch },
};

/* ---- one at a time ---- */

/* Both processes see it. */
struct outcome {
	bool failed;
	struct rv_error err;
};
struct attempt {
	struct world *world;
	const struct operation *operation;
	struct outcome *outcome;
	unsigned nth; /* the only one to fail; 0: all do */
};

static void set_up(struct world *w)
{
	*w = (struct world){ .fd = -1 };
	snprintf(w->folder, sizeof(w->folder), "%s/river-test-XXXXXX", P_tmpdir);
	assert_non_null(mkdtemp(w->folder));
	w->file = rv_path_join(w->folder, "file");
	rv_stream_init(&w->stream);
	snprintf(w->stream.business, sizeof(w->stream.business), "web");
	snprintf(w->stream.name, sizeof(w->stream.name), "clicks");
	snprintf(w->stream.id, sizeof(w->stream.id), "01JCX0000000000000000000ZZ");
	w->state = (struct rv_state)RV_STATE_INIT;
}

static void tear_down(struct world *w)
{
	struct rv_error err;

	rv_run_free(w->run);
	rv_close_p(&w->fd);
	rv_checkpoint_release(&w->checkpoint);
	assert_int_equal(rv_remove_tree(w->folder, &err), RV_OK);
	rv_state_release(&w->state);
	rv_stream_release(&w->stream);
	free(w->file);
}

enum { DONE, SAID, NOT_PREPARED, NO_FILTER, NOT_REACHED };
static int try(void *arg, const struct failing_call *call)
{
	const struct attempt *attempt = arg;

	attempt->outcome->err = (struct rv_error)RV_ERROR_INIT;
	if (!attempt->operation->prepare(attempt->world))
		return NOT_PREPARED;
	if (attempt->nth ? !let_nth_call_fail(call, attempt->nth) : !let_calls_fail(call))
		return NO_FILTER;
	enum rv_status status = attempt->operation->act(attempt->world, &attempt->outcome->err);

	return status != RV_OK ? SAID : failing_left ? NOT_REACHED : DONE;
}

static int try_one(const struct operation *operation, const struct failing_call *call, unsigned nth,
		   struct outcome *outcome)
{
	struct world world;

	set_up(&world);
	struct attempt attempt = { &world, operation, outcome, nth };
	int ended = in_child(try, &attempt, call);
	const struct rv_error *err = &outcome->err;

	if (ended != DONE && ended != SAID && ended != NOT_REACHED)
		fail_msg("%s without %s %u: ended with %d: %s", operation->name, call->name, nth, ended, err->message);
	if (ended == SAID && (err->status != RV_LOCAL_IO || !strstr(err->message, P_tmpdir) || /* or what is above */
			      !strstr(err->message, strerror(call->error))))
		fail_msg("%s without %s %u: %d: %s", operation->name, call->name, nth, err->status, err->message);
	/* whatever it left: the same again, in another process */
	if (ended == SAID) {
		struct rv_error again = RV_ERROR_INIT;

		if (!operation->prepare(&world) || operation->act(&world, &again) != RV_OK)
			fail_msg("%s after a failing %s %u: not again: %s", operation->name, call->name, nth,
				 again.message);
	}
	tear_down(&world);
	return ended;
}

static void test_each_call_of_each_operation(void **state RV_UNUSED)
{
	struct outcome *outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool hit[sizeof(operations) / sizeof(*operations)] = { false };

	assert_true(outcome != MAP_FAILED);
	for (size_t c = 0; c < FAILING_CALLS; c++)
		for (size_t o = 0; o < sizeof(operations) / sizeof(*operations); o++)
			hit[o] |= try_one(&operations[o], &failing_calls[c], 0, outcome) == SAID;
	for (size_t o = 0; o < sizeof(operations) / sizeof(*operations); o++)
		if (!hit[o])
			fail_msg("nothing made it fail: %s", operations[o].name);
	munmap(outcome, sizeof(*outcome));
}

/* What comes before works: so each place is reached where something can fail. */
static void test_one_call_of_each_operation(void **state RV_UNUSED)
{
	struct outcome *outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(outcome != MAP_FAILED);
	for (size_t c = 0; c < FAILING_CALLS; c++) {
		if (failing_calls[c].spares) /* the handler does not look at arguments */
			continue;
		for (size_t o = 0; o < sizeof(operations) / sizeof(*operations); o++)
			for (unsigned nth = 1;
			     HAS_NTH_CALL && try_one(&operations[o], &failing_calls[c], nth, outcome) != NOT_REACHED; nth++)
				if (nth > 100)
					fail_msg("%s: no end of %s", operations[o].name, failing_calls[c].name);
	}
	munmap(outcome, sizeof(*outcome));
}

/* ---- what is no failure ---- */

/* A signal that comes in between changes nothing. */
static void test_interrupted_calls(void **state RV_UNUSED)
{
	static const struct failing_call calls[] = {
		{ "lock", EINTR, { SYS_fcntl }, 0 },
		{ "pread", EINTR, { SYS_pread64 }, 0 },
		{ "write", EINTR, { SYS_write }, 0 },
		{ "fsync", EINTR, { SYS_fsync }, 0 },
	};
	struct outcome *outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(outcome != MAP_FAILED);
	for (size_t c = 0; HAS_NTH_CALL && c < sizeof(calls) / sizeof(*calls); c++)
		for (size_t o = 0; o < sizeof(operations) / sizeof(*operations); o++) {
			int ended = DONE;

			/* opendir makes that call too, of a kind that no signal interrupts */
			if (calls[c].numbers[0] == SYS_fcntl && operations[o].act != create_run &&
			    operations[o].act != open_run)
				continue;
			for (unsigned nth = 1; nth < 100 && ended == DONE; nth++)
				ended = try_one(&operations[o], &calls[c], nth, outcome);
			if (ended != NOT_REACHED)
				fail_msg("%s, interrupted in %s: %d: %s", operations[o].name, calls[c].name, ended,
					 outcome->err.message);
		}
	munmap(outcome, sizeof(*outcome));
}

/* ---- a promise that cannot be taken back ---- */

static int promise_in_doubt(void *arg, const struct failing_call *call)
{
	static const char doubt[] = "may count all the same";
	struct world *w = arg;
	struct rv_error err = RV_ERROR_INIT;
	bool told = w->run->pipe && !w->run->named;

	if (!let_calls_fail(call) || promise(w, &err) != RV_LOCAL_IO)
		return NO_FILTER;
	return (strstr(err.hint, doubt) && strstr(err.hint, w->run->name)) == told ? DONE : SAID;
}

/* Who sends from a pipe without a name would send those records a second time. */
static void test_promise_in_doubt(void **state RV_UNUSED)
{
	static const struct failing_call calls[] = {
		{ "fsync", EIO, { SYS_fsync, SYS_fdatasync }, 0 },
		{ "all", EIO, { SYS_fsync, SYS_fdatasync, SYS_ftruncate }, 0 },
	};
	for (unsigned i = 0; i < 6; i++) {
		struct world w;

		set_up(&w);
		assert_true(a_run(&w));
		w.run->pipe = i < 4;
		w.run->named = i >= 2;
		assert_int_equal(in_child(promise_in_doubt, &w, &calls[i % 2]), DONE);
		tear_down(&w);
	}
}

/* ---- a line that cannot be cut off ---- */

struct cutting {
	struct world *world;
	bool again; /* it can, the next time */
};

static bool set_file_limit(rlim_t bytes)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return false;
	limit.rlim_cur = bytes;
	return setrlimit(RLIMIT_FSIZE, &limit) == 0;
}

static int write_behind_torn(void *arg, const struct failing_call *call)
{
	const struct cutting *cutting = arg;
	struct rv_run *run = cutting->world->run;
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(run->folder, "journal");
	struct stat st, after;

	signal(SIGXFSZ, SIG_IGN);
	if (stat(path, &st) < 0 || !set_file_limit((rlim_t)st.st_size + 5) ||
	    (cutting->again ? !let_nth_call_fail(call, 1) : !let_calls_fail(call)))
		return NO_FILTER;
	if (rv_run_landed(run, 0, &err) != RV_LOCAL_IO || !set_file_limit(RLIM_INFINITY) ||
	    stat(path, &after) < 0 || after.st_size != st.st_size + 5)
		return NOT_REACHED;
	enum rv_status status = rv_run_landed(run, 0, &err);

	if (!cutting->again && (status != RV_LOCAL_IO || !strstr(err.message, path)))
		return NOT_PREPARED;
	return status == RV_OK ? DONE : SAID;
}

static int leave_torn(void *arg, const struct failing_call *call)
{
	struct world *w = arg;
	struct rv_error err = RV_ERROR_INIT;
	RV_CLEANUP(rv_free_p) char *path = rv_path_join(w->run->folder, "journal");
	struct stat st, after;

	signal(SIGXFSZ, SIG_IGN);
	if (stat(path, &st) < 0 || !set_file_limit((rlim_t)st.st_size + 5) || !let_nth_call_fail(call, 1))
		return NO_FILTER;
	if (rv_run_landed(w->run, 0, &err) != RV_LOCAL_IO)
		return NOT_REACHED;
	rv_run_free(rv_take(w->run));
	return stat(path, &after) == 0 && after.st_size == st.st_size ? DONE : SAID;
}

/* A file system that copies what it writes may have no room to cut a file either. What is written behind half a
 * line would be taken for damage, and all of the run with it. */
static void test_45_nothing_behind_a_torn_line(void **state RV_UNUSED)
{
	static const struct failing_call truncate_call = { "truncate", ENOSPC, { SYS_ftruncate }, 0 };
	struct rv_error err;

	for (int again = 0; again <= HAS_NTH_CALL; again++) {
		struct world w;
		struct rv_run_totals totals;

		set_up(&w);
		assert_true(a_batch(&w));
		struct cutting cutting = { &w, again };

		assert_int_equal(in_child(write_behind_torn, &cutting, &truncate_call), again ? DONE : SAID);
		rv_run_free(rv_take(w.run));
		assert_int_equal(rv_run_open(&w.state, "r1", true, &w.run, &err), RV_OK);
		rv_run_totals(w.run, &totals);
		assert_int_equal(totals.landed, again);
		if (HAS_NTH_CALL)
			assert_int_equal(in_child(leave_torn, &w, &truncate_call), DONE);
		tear_down(&w);
	}
}

static int is_alive(void *arg, const struct failing_call *call)
{
	struct world *w = arg;

	return !let_calls_fail(call) || !rv_run_is_alive(w->run);
}

/* Taken for one that was left, what it still writes would be taken for damage. */
static void test_locks_that_cannot_be_asked(void **state RV_UNUSED)
{
	static const struct failing_call lock = { "lock", ENOLCK, { SYS_fcntl }, 0 };
	struct rv_error err;
	struct world w;

	set_up(&w);
	assert_true(a_run_that_was_left(&w));
	assert_int_equal(rv_run_open(&w.state, "r1", false, &w.run, &err), RV_OK);
	assert_false(rv_run_is_alive(w.run));
	assert_int_equal(in_child(is_alive, &w, &lock), 0);
	tear_down(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_call_of_each_operation),
		cmocka_unit_test(test_each_call_of_each_operation),
		cmocka_unit_test(test_interrupted_calls),
		cmocka_unit_test(test_promise_in_doubt),
		cmocka_unit_test(test_45_nothing_behind_a_torn_line),
		cmocka_unit_test(test_locks_that_cannot_be_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
