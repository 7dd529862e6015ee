/*
 * compare: runs commands in turn, A B C A B C ..., and prints a table of medians.
 *
 *	compare [-n ROUNDS] [--gb GB] [--warm FILE]... [--before COMMAND] [--json] 'NAME=COMMAND'...
 *	        each command by `sh -c`; one more round before the first is not counted
 *	compare --startup [-n ROUNDS] [--json] 'NAME=PROGRAM ARG...'...
 *	        each program is started by itself, without a shell, its words split at blanks; in
 *	        milliseconds, with the median difference to the first
 *
 *	--bar 'LABEL=FIGURE A/B OP LIMIT'    what a median is held to; also 'A-B', or 'A' alone
 *	--bars FILE                          appends a line for each: label, measured, bar, verdict,
 *	                                     with tabs between
 *
 * Figures are the kernel's: CPU is user and system time of the command and of all it waited for, RSS
 * the largest of its processes. Ratios and differences of two commands are taken round by round, then
 * the median of them: what slows the machine for a while slows both. --gb holds for the commands that
 * follow it; ratios of commands with different ones are ratios per GB. --warm reads FILE before every
 * run, for inputs that one of the programs drops from the page cache; --before runs a command first,
 * which is not measured and has to succeed. Standard output of the commands is thrown away.
 *
 * A and B of a bar are commands by number, from 1; figures are cpu and wall (seconds), wall_ms,
 * rss (MiB) and rate (GB for each second of CPU); OP is <=, < or >=. B may be several, 2,3: the one
 * with the smallest median is meant. The verdict stands in the row of the later one of the two.
 *
 * Ends with 1 when a run of a command failed, else with 3 when a bar is missed.
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

enum { COMMANDS_MAX = 32, ROUNDS_MAX = 1000, WARM_MAX = 16, WORDS_MAX = 64, BARS_MAX = 32 };

struct run {
	double wall_s, user_s, sys_s, rss_mib;
};

struct command {
	const char *name;
	char *text;
	char *words[WORDS_MAX];
	struct run runs[ROUNDS_MAX];
	double gb;               /* of its input; 0: not said */
	unsigned failures;
	int last_code;
};

struct bar {
	char *label;
	char figure[16];
	size_t a, b;             /* indices; b only where relation is not 0 */
	size_t others[COMMANDS_MAX], others_count; /* what b is chosen from */
	char relation;           /* '/', '-' or 0 */
	char op[3];
	double limit, measured;
	bool met;
};

static struct command commands[COMMANDS_MAX];
static size_t command_count;
static const char *warm[WARM_MAX];
static size_t warm_count;
static struct bar bars[BARS_MAX];
static size_t bar_count;
static char *before;
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

static void prepare(void)
{
	static char sh[] = "sh", dash_c[] = "-c";
	char *const words[] = { sh, dash_c, before, NULL };
	pid_t pid;
	int status;
	int e = posix_spawnp(&pid, sh, NULL, NULL, words, environ);

	if (e)
		die("sh", strerror(e));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			die("waitpid", strerror(errno));
	if (status)
		die(before, "did not succeed");
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

	if (before)
		prepare();
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

/* Round by round against another command: how many times, or how much more. */
static double ratio_of(const struct command *c, const struct command *other, enum figure figure)
{
	double v[ROUNDS_MAX];
	double scale = c->gb > 0 && other->gb > 0 && figure != F_RSS ? other->gb / c->gb : 1;

	for (unsigned i = 0; i < rounds; i++) {
		double base = figure_of(&other->runs[i], figure);
		/* the kernel's clock of a run that took no time: half of its microsecond */
		v[i] = figure_of(&c->runs[i], figure) / (base > 0 ? base : 5e-7) * scale;
	}
	return median(v, rounds);
}

static double difference_of(const struct command *c, const struct command *other,
			    enum figure figure)
{
	double v[ROUNDS_MAX];

	for (unsigned i = 0; i < rounds; i++)
		v[i] = figure_of(&c->runs[i], figure) - figure_of(&other->runs[i], figure);
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

/* ---- bars ---- */

static void judge(struct bar *bar)
{
	static const struct {
		const char *name;
		enum figure figure;
		double scale;
	} figures[] = {
		{ "cpu", F_CPU, 1 },	  { "wall", F_WALL, 1 }, { "wall_ms", F_WALL, 1e3 },
		{ "rss", F_RSS, 1 },	  { "rate", F_CPU, 1 },
	};
	const struct command *a = &commands[bar->a], *b = &commands[bar->b];
	size_t k = 0;

	while (k < sizeof(figures) / sizeof(*figures) && strcmp(figures[k].name, bar->figure))
		k++;
	if (k == sizeof(figures) / sizeof(*figures))
		die(bar->figure, "no such figure");
	enum figure figure = figures[k].figure;

	for (size_t i = 0; i < bar->others_count; i++)
		if (median_of(&commands[bar->others[i]], figure) < median_of(b, figure))
			b = &commands[bar->others[i]];
	bar->b = (size_t)(b - commands);
	if (bar->relation == '/')
		bar->measured = ratio_of(a, b, figure);
	else if (bar->relation == '-')
		bar->measured = difference_of(a, b, figure) * figures[k].scale;
	else if (!strcmp(bar->figure, "rate"))
		bar->measured = a->gb / median_of(a, F_CPU);
	else
		bar->measured = (figure == F_RSS ? largest_of(a, F_RSS) : median_of(a, figure)) *
				figures[k].scale;
	if (!strcmp(bar->op, "<="))
		bar->met = bar->measured <= bar->limit;
	else if (!strcmp(bar->op, "<"))
		bar->met = bar->measured < bar->limit;
	else
		bar->met = bar->measured >= bar->limit;
	if (a->failures || (bar->relation && b->failures))
		bar->met = false;
}

static const char *unit_of(const struct bar *bar)
{
	if (bar->relation == '/')
		return "x";
	if (!strcmp(bar->figure, "wall_ms"))
		return "ms";
	if (!strcmp(bar->figure, "rss"))
		return "MiB";
	return strcmp(bar->figure, "rate") ? "s" : "GB/s";
}

static const char *words_of(const struct bar *bar)
{
	return !strcmp(bar->op, "<=") ? "at most" : !strcmp(bar->op, "<") ? "under" : "at least";
}

static void print_verdicts(size_t command)
{
	bool first = true;

	for (size_t i = 0; i < bar_count; i++) {
		const struct bar *bar = &bars[i];
		if ((bar->b > bar->a ? bar->b : bar->a) != command)
			continue;
		printf("%s%s %.2f %s, %s %g: %s", first ? " " : "; ", bar->label, bar->measured,
		       unit_of(bar), words_of(bar), bar->limit, bar->met ? "pass" : "**FAIL**");
		first = false;
	}
	printf(" |");
}

static void add_bar(const char *arg)
{
	char *copy = strdup(arg), *text = copy ? strrchr(copy, '=') : NULL;
	unsigned a = 0;

	/* the last = but for the one of <= */
	if (text && text > copy && strchr("<>", text[-1])) {
		*text = 0;
		char *earlier = strrchr(copy, '=');
		*text = '=';
		text = earlier;
	}
	if (!text || bar_count == BARS_MAX)
		die(arg, "a bar is LABEL=FIGURE A/B OP LIMIT");
	struct bar *bar = &bars[bar_count++];
	*text++ = 0;
	bar->label = copy;
	char others[128] = "";
	if (sscanf(text, "%15[a-z_] %u%c%127[0-9,] %2[<>=] %lf", bar->figure, &a, &bar->relation, others,
		   bar->op, &bar->limit) != 6) {
		bar->relation = 0;
		if (sscanf(text, "%15[a-z_] %u %2[<>=] %lf", bar->figure, &a, bar->op, &bar->limit) != 4)
			die(arg, "a bar is LABEL=FIGURE A/B OP LIMIT");
	} else if (bar->relation != '/' && bar->relation != '-') {
		die(arg, "two commands are A/B or A-B");
	}
	if (strcmp(bar->op, "<=") && strcmp(bar->op, "<") && strcmp(bar->op, ">="))
		die(bar->op, "compares nothing");
	for (const char *p = others; *p;) {
		char *end;
		unsigned long b = strtoul(p, &end, 10);
		if (!b || b > COMMANDS_MAX || bar->others_count == COMMANDS_MAX)
			die(arg, "commands count from 1");
		bar->others[bar->others_count++] = b - 1;
		p = *end == ',' ? end + 1 : end;
	}
	if (!a || a > COMMANDS_MAX)
		die(arg, "commands count from 1");
	bar->a = a - 1;
	bar->b = bar->others_count ? bar->others[0] : bar->a;
}

static void write_bars(const char *path)
{
	FILE *f = fopen(path, "ae");

	if (!f)
		die(path, strerror(errno));
	for (size_t i = 0; i < bar_count; i++)
		fprintf(f, "%s\t%.2f %s\t%s %g %s\t%s\n", bars[i].label, bars[i].measured,
			unit_of(&bars[i]), words_of(&bars[i]), bars[i].limit, unit_of(&bars[i]),
			bars[i].met ? "pass" : "**FAIL**");
	if (fclose(f))
		die(path, strerror(errno));
}

/* ---- tables ---- */

static void print_table(bool with_gb)
{
	printf("| what | wall s | CPU s (user+sys) | min-max |%s RSS MiB | CPU x first | wall x first |%s\n",
	       with_gb ? " CPU-s/GB |" : "", bar_count ? " river against it |" : "");
	printf("|---|---|---|---|%s---|---|---|%s\n", with_gb ? "---|" : "", bar_count ? "---|" : "");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		printf("| %s%s | %.3f | %.3f (%.2f+%.2f) | %.2f-%.2f |", c->name,
		       c->failures ? " (failed)" : "", median_of(c, F_WALL), median_of(c, F_CPU),
		       median_of(c, F_USER), median_of(c, F_SYS), smallest_of(c, F_CPU),
		       largest_of(c, F_CPU));
		if (with_gb)
			printf(" %.2f |", c->gb > 0 ? median_of(c, F_CPU) / c->gb : 0);
		printf(" %.0f | %.2f | %.2f |", largest_of(c, F_RSS),
		       ratio_of(c, &commands[0], F_CPU), ratio_of(c, &commands[0], F_WALL));
		if (bar_count)
			print_verdicts(i);
		printf("\n");
	}
}

static void print_startup(void)
{
	printf("| what | wall ms | min ms | more than the first, ms | CPU ms | RSS MiB |%s\n",
	       bar_count ? " bar |" : "");
	printf("|---|---|---|---|---|---|%s\n", bar_count ? "---|" : "");
	for (size_t i = 0; i < command_count; i++) {
		const struct command *c = &commands[i];
		printf("| %s%s | %.2f | %.2f | %+.2f | %.2f | %.1f |", c->name,
		       c->failures ? " (failed)" : "", median_of(c, F_WALL) * 1e3,
		       smallest_of(c, F_WALL) * 1e3,
		       difference_of(c, &commands[0], F_WALL) * 1e3, median_of(c, F_CPU) * 1e3,
		       largest_of(c, F_RSS));
		/* by the command that is held to it: the other one does nothing */
		bool first = true;
		for (size_t k = 0; k < bar_count; k++) {
			if (bars[k].a != i)
				continue;
			printf("%s%s %g %s: %s", first ? " " : "; ", words_of(&bars[k]),
			       bars[k].limit, unit_of(&bars[k]), bars[k].met ? "pass" : "**FAIL**");
			first = false;
		}
		printf(bar_count ? " |\n" : "\n");
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

static void print_json(void)
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
		       largest_of(c, F_CPU), largest_of(c, F_RSS),
		       ratio_of(c, &commands[0], F_CPU), ratio_of(c, &commands[0], F_WALL),
		       difference_of(c, &commands[0], F_WALL));
		if (c->gb > 0)
			printf(",\"cpu_s_per_gb\":%.4f", median_of(c, F_CPU) / c->gb);
		printf("}\n");
	}
}

static void add_command(const char *arg, double gb)
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
	c->gb = gb;
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
	const char *bars_path = NULL;
	bool failed = false, missed = false, with_gb = false;

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
				with_gb = true;
			} else if (!strcmp(a, "--warm") && warm_count < WARM_MAX) {
				warm[warm_count++] = v;
			} else if (!strcmp(a, "--before")) {
				before = argv[i];
			} else if (!strcmp(a, "--bar")) {
				add_bar(v);
			} else if (!strcmp(a, "--bars")) {
				bars_path = v;
			} else {
				die(a, "no such option");
			}
			if (end && (*end || end == v))
				die(v, "not a number");
		} else {
			add_command(a, gb);
		}
	}
	if (!command_count)
		die("usage", "compare [--startup] [-n ROUNDS] [--gb GB] [--warm FILE] [--json] "
			     "NAME=COMMAND...");
	for (size_t i = 0; i < bar_count; i++) {
		bool there = bars[i].a < command_count;

		for (size_t k = 0; k < bars[i].others_count; k++)
			there &= bars[i].others[k] < command_count;
		if (!there)
			die(bars[i].label, "this bar is about a command that is not there");
	}
	if (!rounds)
		rounds = startup ? 40 : 5;
	for (size_t i = 0; startup && i < command_count; i++)
		split_words(&commands[i]);

	/* the round before the first lands in the same place, to be overwritten */
	for (unsigned r = 0; r <= rounds; r++)
		for (size_t i = 0; i < command_count; i++)
			run_once(&commands[i], &commands[i].runs[r ? r - 1 : 0]);

	for (size_t i = 0; i < bar_count; i++) {
		judge(&bars[i]);
		missed |= !bars[i].met;
	}
	if (as_json)
		print_json();
	else if (startup)
		print_startup();
	else
		print_table(with_gb);
	if (bars_path)
		write_bars(bars_path);
	for (size_t i = 0; i < command_count; i++)
		failed |= commands[i].failures > 0;
	if (fflush(stdout))
		die("standard output", strerror(errno));
	return failed ? 1 : missed ? 3 : 0;
}
