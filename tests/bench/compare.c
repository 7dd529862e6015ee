/*
 * compare: runs commands in turn, A B C A B C ..., and prints a table of medians.
 *
 *	compare [-n ROUNDS] [--gb GB] [--warm FILE]... [--json] 'NAME=COMMAND'...
 *	        each command by `sh -c`; one more round before the first is not counted
 *	compare --startup [-n ROUNDS] [--json] 'NAME=PROGRAM ARG...'...
 *	        each program is started by itself, without a shell, its words split at blanks; in
 *	        milliseconds, with the median difference to the first
 *
 * Figures are the kernel's: CPU is user and system time of the command and of all it waited for, RSS
 * the largest of its processes. The ratios are to the first command, taken round by round, then the
 * median of them: what slows the machine for a while slows both. --warm reads FILE before every run,
 * for inputs that one of the programs drops from the page cache. Standard output of the commands is
 * thrown away. Ends with 1 when any run of a command failed.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum { COMMANDS_MAX = 32, ROUNDS_MAX = 1000, WARM_MAX = 16, WORDS_MAX = 64 };

struct run {
	double wall_s, user_s, sys_s, rss_mib;
};

struct command {
	const char *name;
	char *text;
	char *words[WORDS_MAX];
	struct run runs[ROUNDS_MAX];
	unsigned failures;
	int last_code;
};

static struct command commands[COMMANDS_MAX];
static size_t command_count;
static const char *warm[WARM_MAX];
static size_t warm_count;
static unsigned rounds;
static bool startup, as_json;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "compare: %s: %s\n", what, why);
	exit(2);
}

static double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds_of(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

static void read_through(const char *path)
{
	static char buf[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	if (fd < 0)
		die(path, strerror(errno));
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		continue;
	if (n < 0)
		die(path, strerror(errno));
	close(fd);
}

/*
 * The memory of a fresh process starts as a copy of ours, and counts as its own until it executes:
 * posix_spawn shares instead of copying, and we are small.
 */
static void run_once(struct command *c, struct run *ret)
{
	static char sh[] = "sh", dash_c[] = "-c";
	char *const by_shell[] = { sh, dash_c, c->text, NULL };
	posix_spawn_file_actions_t actions;
	struct rusage usage;
	pid_t pid;
	int status;

	for (size_t i = 0; i < warm_count; i++)
		read_through(warm[i]);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	fflush(stdout);
	double start = seconds_now();
	int e = startup ? posix_spawnp(&pid, c->words[0], &actions, NULL, c->words, environ)
			: posix_spawnp(&pid, sh, &actions, NULL, by_shell, environ);
	if (e)
		die(startup ? c->words[0] : "sh", strerror(e));
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			die("wait4", strerror(errno));
	double end = seconds_now();
	posix_spawn_file_actions_destroy(&actions);
	*ret = (struct run){
		.wall_s = end - start,
		.user_s = seconds_of(usage.ru_utime),
		.sys_s = seconds_of(usage.ru_stime),
		.rss_mib = (double)usage.ru_maxrss / 1024,
	};
	if (WIFSIGNALED(status))
		c->last_code = 128 + WTERMSIG(status);
	else
		c->last_code = WEXITSTATUS(status);
	if (c->last_code) {
		c->failures++;
		fprintf(stderr, "compare: %s ended with code %d\n", c->name, c->last_code);
	}
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

enum figure { F_WALL, F_CPU, F_USER, F_SYS, F_RSS };

static double figure_of(const struct run *r, enum figure figure)
{
	switch (figure) {
	case F_WALL: return r->wall_s;
	case F_CPU: return r->user_s + r->sys_s;
	case F_USER: return r->user_s;
	case F_SYS: return r->sys_s;
	case F_RSS: return r->rss_mib;
	}
	return 0;
}

static double median_of(const struct command *c, enum figure figure)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		v[i] = figure_of(&c->runs[i], figure);
	return median(v, rounds);
}

/* Round by round against the first command: how many times, or how much more. */
static double ratio_of(const struct command *c, enum figure figure)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++) {
		double first = figure_of(&commands[0].runs[i], figure);
		/* the kernel's clock of a run that took no time: half of its microsecond */
		v[i] = figure_of(&c->runs[i], figure) / (first > 0 ? first : 5e-7);
	}
	return median(v, rounds);
}

static double difference_of(const struct command *c, enum figure figure)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		v[i] = figure_of(&c->runs[i], figure) - figure_of(&commands[0].runs[i], figure);
	return median(v, rounds);
}

static double largest_of(const struct command *c, enum figure figure)
{
	double largest = 0;

	for (unsigned i = 0; i < rounds; i++)
		if (figure_of(&c->runs[i], figure) > largest)
			largest = figure_of(&c->runs[i], figure);
	return largest;
}

static double smallest_of(const struct command *c, enum figure figure)
{
	double smallest = figure_of(&c->runs[0], figure);

	for (unsigned i = 1; i < rounds; i++)
		if (figure_of(&c->runs[i], figure) < smallest)
			smallest = figure_of(&c->runs[i], figure);
	return smallest;
}

static void print_table(double gb)
{
	printf("| what | wall s | CPU s (user+sys) | min-max |%s RSS MiB | CPU x first | wall x first |\n",
	       gb > 0 ? " CPU-s/GB |" : "");
	printf("|---|---|---|---|%s---|---|---|\n", gb > 0 ? "---|" : "");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		printf("| %s%s | %.3f | %.3f (%.2f+%.2f) | %.2f-%.2f |", c->name,
		       c->failures ? " (failed)" : "", median_of(c, F_WALL), median_of(c, F_CPU),
		       median_of(c, F_USER), median_of(c, F_SYS), smallest_of(c, F_CPU),
		       largest_of(c, F_CPU));
		if (gb > 0)
			printf(" %.2f |", median_of(c, F_CPU) / gb);
		printf(" %.0f | %.2f | %.2f |\n", largest_of(c, F_RSS), ratio_of(c, F_CPU),
		       ratio_of(c, F_WALL));
	}
}

static void print_startup(void)
{
	printf("| what | wall ms | min ms | more than the first, ms | CPU ms | RSS MiB |\n");
	printf("|---|---|---|---|---|---|\n");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		printf("| %s%s | %.2f | %.2f | %+.2f | %.2f | %.1f |\n", c->name,
		       c->failures ? " (failed)" : "", median_of(c, F_WALL) * 1e3,
		       smallest_of(c, F_WALL) * 1e3, difference_of(c, F_WALL) * 1e3,
		       median_of(c, F_CPU) * 1e3, largest_of(c, F_RSS));
	}
}

static void print_string(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20)
			printf("\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else
			putchar(*s);
	}
	putchar('"');
}

static void print_json(double gb)
{
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		printf("{\"name\":");
		print_string(c->name);
		printf(",\"rounds\":%u,\"failures\":%u,\"wall_s\":%.6f,\"cpu_s\":%.6f,\"user_s\":%.6f,"
		       "\"sys_s\":%.6f,\"cpu_min_s\":%.6f,\"cpu_max_s\":%.6f,\"rss_mib\":%.1f,"
		       "\"cpu_x_first\":%.4f,\"wall_x_first\":%.4f,\"wall_more_s\":%.6f",
		       rounds, c->failures, median_of(c, F_WALL), median_of(c, F_CPU),
		       median_of(c, F_USER), median_of(c, F_SYS), smallest_of(c, F_CPU),
		       largest_of(c, F_CPU), largest_of(c, F_RSS), ratio_of(c, F_CPU),
		       ratio_of(c, F_WALL), difference_of(c, F_WALL));
		if (gb > 0)
			printf(",\"cpu_s_per_gb\":%.4f", median_of(c, F_CPU) / gb);
		printf("}\n");
	}
}

static void add_command(const char *arg)
{
	char *equals, *copy = strdup(arg);

	if (!copy)
		die(arg, "out of memory");
	equals = strchr(copy, '=');
	if (!equals || equals == copy || !equals[1])
		die(arg, "a command is NAME=COMMAND");
	if (command_count == COMMANDS_MAX)
		die(arg, "too many commands");
	*equals = 0;
	struct command *c = &commands[command_count++];
	c->name = copy;
	c->text = equals + 1;
}

static void split_words(struct command *c)
{
	size_t n = 0;

	for (char *p = c->text; *p;) {
		while (*p == ' ')
			*p++ = 0;
		if (!*p)
			break;
		if (n == WORDS_MAX - 1)
			die(c->name, "too many words");
		c->words[n++] = p;
		while (*p && *p != ' ')
			p++;
	}
	if (!n)
		die(c->name, "no program");
}

int main(int argc, char **argv)
{
	double gb = 0;
	bool failed = false;

	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		if (!strcmp(a, "--startup")) {
			startup = true;
		} else if (!strcmp(a, "--json")) {
			as_json = true;
		} else if (a[0] == '-') {
			char *end = NULL;
			if (i + 1 == argc)
				die(a, "needs a value");
			const char *v = argv[++i];
			if (!strcmp(a, "-n")) {
				unsigned long n = strtoul(v, &end, 10);
				if (!n || n > ROUNDS_MAX)
					die(v, "rounds are 1 to 1000");
				rounds = (unsigned)n;
			} else if (!strcmp(a, "--gb")) {
				gb = strtod(v, &end);
			} else if (!strcmp(a, "--warm") && warm_count < WARM_MAX) {
				warm[warm_count++] = v;
			} else {
				die(a, "no such option");
			}
			if (end && (*end || end == v))
				die(v, "not a number");
		} else {
			add_command(a);
		}
	}
	if (!command_count)
		die("usage", "compare [--startup] [-n ROUNDS] [--gb GB] [--warm FILE] [--json] "
			     "NAME=COMMAND...");
	if (!rounds)
		rounds = startup ? 40 : 5;
	for (size_t i = 0; startup && i < command_count; i++)
		split_words(&commands[i]);

	/* the round before the first lands in the same place, to be overwritten */
	for (unsigned r = 0; r <= rounds; r++)
		for (size_t i = 0; i < command_count; i++)
			run_once(&commands[i], &commands[i].runs[r ? r - 1 : 0]);

	if (as_json)
		print_json(gb);
	else if (startup)
		print_startup();
	else
		print_table(gb);
	for (size_t i = 0; i < command_count; i++)
		failed |= commands[i].failures > 0;
	if (fflush(stdout))
		die("standard output", strerror(errno));
	return failed;
}
