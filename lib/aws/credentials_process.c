/* credential_process: a program that prints credentials (AWS SDKs and Tools
 * Reference Guide). Never a shell. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "aws/credentials_impl.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/stop.h"

#define OUTPUT_MAX_BYTES (64u << 10)
#define LONGEST_NAP_MS 50
/* Another thread may get the signal to stop. */
#define LONGEST_POLL_MS 200
/* What it may still take once we were told to stop: as long as a request may. */
#define AFTER_STOP_MS 5000

extern char **environ;

struct words {
	char **items; /* the last one is NULL */
	size_t count, capacity;
};

static void words_release(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->items[i]);
	free(words->items);
}

static void words_add(struct words *words, char *word)
{
	RV_GROW(words->items, words->count, words->capacity);
	words->items[words->count] = word;
	words->count += word != NULL;
}

/* Words as POSIX quotes them: '...', "..." with \" and \\ in it, \x outside. Nothing is expanded. */
static bool split(const char *p, struct words *ret)
{
	while (*p) {
		RV_CLEANUP(rv_strbuf_release) struct rv_strbuf word = RV_STRBUF_INIT;
		while (isspace((unsigned char)*p))
			p++;
		if (!*p)
			break;
		while (*p && !isspace((unsigned char)*p)) {
			char quote = *p;
			if (quote != '\'' && quote != '"') {
				if (*p == '\\' && !*++p)
					return false;
				rv_strbuf_putc(&word, *p++);
				continue;
			}
			for (p++; *p && *p != quote; p++) {
				if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
					p++;
				rv_strbuf_putc(&word, *p);
			}
			if (!*p++)
				return false;
		}
		words_add(ret, rv_strbuf_take(&word));
	}
	words_add(ret, NULL);
	return ret->count > 0;
}

static enum rv_status start(char *const *argv, pid_t *ret_pid, int *ret_fd, struct rv_error *err)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return rv_fail_errno(err, RV_LOCAL_IO, "make a pipe");
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	/* libcurl's sockets have no close-on-exec: what the program leaves running would hold them. AWS's
	 * own command line closes the same ones. */
	posix_spawn_file_actions_addclosefrom_np(&actions, 3);
	/* What this thread has blocked or ignored is none of the program's business. */
	sigset_t none, defaults;
	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGTERM);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	int r = posix_spawnp(ret_pid, argv[0], &actions, &attributes, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	close(ends[1]);
	if (r) {
		close(ends[0]);
		return rv_fail(err, RV_AUTH, "start %s: %s", argv[0], strerror(r));
	}
	*ret_fd = ends[0];
	return RV_OK;
}

struct limit {
	int64_t end_ms; /* monotonic */
	bool stopped;
};

static int64_t time_left_ms(struct limit *limit)
{
	int64_t now_ms = rv_clock_monotonic_ms();
	if (!limit->stopped && rv_stop_signal()) {
		limit->stopped = true;
		if (limit->end_ms > now_ms + AFTER_STOP_MS)
			limit->end_ms = now_ms + AFTER_STOP_MS;
	}
	return limit->end_ms - now_ms;
}

static enum rv_status fail_slow(const char *program, const struct limit *limit, const char *what,
				struct rv_error *err)
{
	if (limit->stopped)
		rv_fail(err, RV_FAILED, "stopped: %s %s", program, what);
	else
		rv_fail(err, RV_AUTH, "%s takes too long: it %s", program, what);
	err->transient = true;
	return err->status;
}

static enum rv_status read_output(int fd, const char *program, struct limit *limit,
				  struct rv_strbuf *ret, struct rv_error *err)
{
	for (;;) {
		char buf[4096];
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int64_t left_ms = time_left_ms(limit);
		if (left_ms <= 0)
			return fail_slow(program, limit, "has not said all yet", err);
		int r = poll(&wait, 1, left_ms < LONGEST_POLL_MS ? (int)left_ms : LONGEST_POLL_MS);
		if (r == 0)
			continue;
		ssize_t n = r < 0 ? -1 : read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return rv_fail_errno(err, RV_AUTH, "read from %s", program);
		if (n == 0)
			return RV_OK;
		rv_strbuf_add(ret, buf, (size_t)n);
		explicit_bzero(buf, sizeof(buf));
		if (ret->len > OUTPUT_MAX_BYTES)
			return rv_fail(err, RV_AUTH, "%s said more than %u bytes", program,
				       OUTPUT_MAX_BYTES);
	}
}

/* RV_OK: it has ended; *ret_state says how. */
static enum rv_status await(pid_t pid, const char *program, struct limit *limit, int *ret_state,
			    struct rv_error *err)
{
	for (long nap_ms = 1;; nap_ms = nap_ms * 2 < LONGEST_NAP_MS ? nap_ms * 2 : LONGEST_NAP_MS) {
		pid_t r = waitpid(pid, ret_state, WNOHANG);
		if (r == pid)
			return RV_OK;
		if (r < 0 && errno != EINTR)
			return rv_fail_errno(err, RV_LOCAL_IO, "wait for %s", program);
		if (time_left_ms(limit) <= 0)
			return fail_slow(program, limit, "has said all, but does not end", err);
		nanosleep(&(struct timespec){ .tv_nsec = nap_ms * 1000000 }, NULL);
	}
}

static enum rv_status end(pid_t pid, const char *program, struct limit *limit, bool failed,
			  struct rv_error *err)
{
	int state;
	if (failed || await(pid, program, limit, &state, err) != RV_OK) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &state, 0) < 0 && errno == EINTR)
			continue;
		return err->status;
	}
	if (WIFSIGNALED(state))
		return rv_fail(err, RV_AUTH, "%s was ended by signal %d", program, WTERMSIG(state));
	if (WEXITSTATUS(state)) {
		rv_fail(err, RV_AUTH, "%s ended with %d", program, WEXITSTATUS(state));
		rv_hint(err, "what it says on standard error tells why");
		return err->status;
	}
	return RV_OK;
}

enum rv_status rv_aws_run_process(const char *profile, const char *command, int64_t timeout_ms,
				  struct rv_aws_credentials *ret, struct rv_error *err)
{
	struct limit limit = { .end_ms = rv_clock_monotonic_ms() + timeout_ms };
	RV_CLEANUP(words_release) struct words words = { .count = 0 };
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf output = RV_STRBUF_INIT;
	pid_t pid = -1;
	int fd = -1;
	if (!split(command, &words))
		return rv_fail(err, RV_AUTH, "credential_process of AWS profile %s: a quote is not "
			       "closed", profile);
	const char *program = words.items[0];
	if (start(words.items, &pid, &fd, err) != RV_OK)
		return rv_context(err, "credential_process of AWS profile %s", profile);
	enum rv_status status = read_output(fd, program, &limit, &output, err);
	close(fd);
	status = end(pid, program, &limit, status != RV_OK, err);
	RV_CLEANUP(rv_free_p) char *what = rv_asprintf("what %s printed", program);
	if (status == RV_OK) {
		json_t *json = json_loadb(output.bytes, output.len, 0, NULL);
		const json_t *version = json_object_get(json, "Version");
		if (json && json_integer_value(version) != 1)
			status = rv_fail(err, RV_AUTH, "%s has no \"Version\": 1", what);
		json_decref(json);
	}
	if (status == RV_OK)
		status = rv_aws_read_credentials(what, output.bytes, output.len, "SessionToken", ret,
						 err);
	explicit_bzero(output.bytes, output.len);
	return status == RV_OK ? RV_OK
			       : rv_context(err, "credential_process of AWS profile %s", profile);
}
