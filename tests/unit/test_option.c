/* Option tables: splitting, filling, variables, suggestions, and the checks of the tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/check.h"
#include "cli/help.h"
#include "cli/parse.h"

struct opts {
	bool dry_run, again;
	const char *format;
	uint64_t batch_size, max_rejects;
	int64_t age_ms;
	int level;
	struct rv_opt_list keys, columns;
};
static const char *const levels[] = { "spooled", "sent", "landed", NULL };
static const struct rv_opt table[] = {
	OPT_FLAG(struct opts, 'n', "dry-run", dry_run, "say what would be sent"),
	OPT_FLAG(struct opts, 'a', "again", again, "send it anew"),
	OPT_STRING(struct opts, 'f', "format", format, "format", "how records are written"),
	OPT_SIZE(struct opts, 'b', "batch-size", batch_size, "bytes", "close a batch at this size",
		 .def = "64MiB", .config_key = "batch.size"),
	OPT_COUNT(struct opts, 0, "max-rejects", max_rejects, "n", "give up after so many"),
	OPT_DURATION(struct opts, 0, "age", age_ms, "time", "close a batch after this time"),
	OPT_CHOICE(struct opts, 0, "wait", level, levels, "what exit 0 means", .def = "sent"),
	OPT_LIST(struct opts, 0, "key", keys, "column", "columns of the key", .comma = true),
	OPT_LIST(struct opts, 0, "column", columns, "name:type", "declare a column"),
	OPT_END
};
static const struct rv_opt globals[] = {
	OPT_FLAG(struct opts, 'q', "quiet", again, "say nothing"),
	OPT_END
};

struct parsed {
	struct rv_cli_args args;
	struct opts opts;
	struct rv_error err;
	size_t used;
	const char *config_value;
};

static const char *lookup(void *arg, const char *key)
{
	struct parsed *p = arg;
	assert_string_equal(key, "batch.size");
	return p->config_value;
}

/* Nothing writes into the words; only main's argv is not const. */
static char **mutable(const char *const *words)
{
	static char *argv[32];
	size_t n = 0;
	for (; words[n]; n++)
		argv[n] = (char *)(uintptr_t)words[n];
	argv[n] = NULL;
	return argv;
}

static enum rv_status parse_words(struct parsed *p, const char *const *words)
{
	char **argv = mutable(words);
	p->err = (struct rv_error)RV_ERROR_INIT;
	p->args = (struct rv_cli_args)RV_CLI_ARGS_INIT;
	memset(&p->opts, 0, sizeof(p->opts));
	enum rv_status status = rv_cli_split(argv, table, globals, false, &p->args, &p->used, &p->err);
	if (status == RV_OK)
		status = rv_cli_parse(&(struct rv_cli_source){ .table = table, .scope = "push",
							       .lookup = lookup, .lookup_arg = p },
				      &p->args, &p->opts, &p->err);
	return status;
}
#define PARSE(p, ...) parse_words(p, (const char *const[]){ __VA_ARGS__, NULL })
#define GOOD(p, ...) assert_int_equal(PARSE(p, __VA_ARGS__), RV_OK)
#define BAD(p, text, hint_, ...)                                                                   \
	do {                                                                                       \
		assert_int_equal(PARSE(p, __VA_ARGS__), RV_USAGE);                                 \
		assert_string_equal((p)->err.message, text);                                       \
		assert_string_equal((p)->err.hint, hint_);                                         \
		rv_cli_args_release(&(p)->args);                                                   \
	} while (0)

static void test_defaults(void **state)
{
	struct parsed p = { .used = 0 };
	(void)state;
	assert_int_equal(parse_words(&p, (const char *const[]){ NULL }), RV_OK);
	assert_false(p.opts.dry_run);
	assert_null(p.opts.format);
	assert_int_equal(p.opts.batch_size, 64 << 20);
	assert_true(p.opts.max_rejects == RV_OPT_NOT_GIVEN);
	assert_int_equal(p.opts.age_ms, -1);
	assert_int_equal(p.opts.level, 1);
	assert_int_equal(p.opts.keys.count, 0);
	assert_int_equal(p.args.operands_count, 0);
	rv_cli_args_release(&p.args);
}

static void test_spellings(void **state)
{
	struct parsed p = { .used = 0 };
	(void)state;
	const char *ways[][3] = { { "--format=csv" }, { "--format", "csv" }, { "-fcsv" }, { "-f", "csv" } };
	for (size_t i = 0; i < 4; i++) {
		const char *argv[] = { ways[i][0], ways[i][1], NULL };
		assert_int_equal(parse_words(&p, argv), RV_OK);
		assert_string_equal(p.opts.format, "csv");
		assert_int_equal(p.args.operands_count, 0);
		rv_cli_args_release(&p.args);
	}
	GOOD(&p, "-naf", "x", "file");
	assert_true(p.opts.dry_run && p.opts.again);
	assert_string_equal(p.opts.format, "x");
	assert_string_equal(p.args.operands[0], "file");
	rv_cli_args_release(&p.args);
	GOOD(&p, "--format=", "--dry-run", "--no-dry-run");
	assert_string_equal(p.opts.format, "");
	assert_false(p.opts.dry_run);
	rv_cli_args_release(&p.args);
	GOOD(&p, "--format", "--again"); /* a value may look like an option */
	assert_string_equal(p.opts.format, "--again");
	assert_false(p.opts.again);
	rv_cli_args_release(&p.args);
}

static void test_operands(void **state)
{
	struct parsed p = { .used = 0 };
	(void)state;
	GOOD(&p, "one", "-n", "-", "--", "--format", "-n", "--");
	assert_true(p.opts.dry_run);
	assert_int_equal(p.args.operands_count, 5);
	const char *want[] = { "one", "-", "--format", "-n", "--" };
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(p.args.operands[i], want[i]);
	assert_null(p.args.operands[5]);
	rv_cli_args_release(&p.args);

	p.args = (struct rv_cli_args)RV_CLI_ARGS_INIT;
	char **argv = mutable((const char *const[]){ "-q", "push", "-q", NULL });
	assert_int_equal(rv_cli_split(argv, globals, NULL, true, &p.args, &p.used, &p.err), RV_OK);
	assert_int_equal(p.used, 1);
	assert_int_equal(p.args.given_count, 1);
	rv_cli_args_release(&p.args);
}

static void test_mistakes(void **state)
{
	struct parsed p = { .used = 0 };
	(void)state;
	BAD(&p, "unknown option '--fromat'", "did you mean '--format'?", "--fromat", "csv");
	BAD(&p, "unknown option '--form'", "did you mean '--format'?", "--form=csv");
	BAD(&p, "unknown option '--zzzzzzzz'", "", "--zzzzzzzz");
	BAD(&p, "unknown option '-max-rejects=1'", "did you mean '--max-rejects=1'?",
	    "-max-rejects=1");
	BAD(&p, "unknown option '-z'", "", "-nz");
	BAD(&p, "option '--format' needs a value: <format>", "", "--format");
	BAD(&p, "option '-f' needs a value: <format>", "", "-nf");
	BAD(&p, "option '--dry-run' takes no value", "", "--dry-run=yes");
	BAD(&p, "option '--format' takes a value and has no '--no-format'", "", "--no-format");
	BAD(&p, "option '--wait': 'send' is not one of spooled, sent, landed", "did you mean 'sent'?",
	    "--wait=send");
	BAD(&p, "option '--batch-size': '12 apples' is not a size, as in 512KiB or 64MiB", "",
	    "-b", "12 apples");
	BAD(&p, "option '--max-rejects': '-1' is not a whole number", "", "--max-rejects=-1");
	/* what stands for one that is not given */
	BAD(&p, "option '--max-rejects': '18446744073709551615' is not a whole number", "",
	    "--max-rejects=18446744073709551615");
	BAD(&p, "option '--batch-size': '18446744073709551615' is not a size, as in 512KiB or 64MiB", "",
	    "--batch-size=18446744073709551615");
	BAD(&p, "option '--age': 'soon' is not a duration, as in 250ms, 60s, 15m or 7d", "",
	    "--age=soon");
}

static void test_sources(void **state)
{
	struct parsed p = { .config_value = "1MiB" };
	(void)state;
	GOOD(&p, "x");
	assert_int_equal(p.opts.batch_size, 1 << 20);
	rv_cli_args_release(&p.args);
	setenv("RIVER_PUSH_BATCH_SIZE", "2MiB", 1);
	setenv("RIVER_PUSH_DRY_RUN", "Yes", 1);
	setenv("RIVER_PUSH_KEY", "a,b", 1);
	setenv("RIVER_PUSH_COLUMN", "a:string\nb:decimal(9,2)\n", 1);
	setenv("RIVER_PUSH_FORMAT", "", 1);
	GOOD(&p, "x");
	assert_int_equal(p.opts.batch_size, 2 << 20);
	assert_true(p.opts.dry_run);
	assert_null(p.opts.format); /* set to nothing is not set */
	assert_int_equal(p.opts.keys.count, 2);
	assert_int_equal(p.opts.columns.count, 2);
	assert_string_equal(p.opts.columns.items[1], "b:decimal(9,2)");
	rv_cli_args_release(&p.args);
	GOOD(&p, "-b3M", "--no-dry-run", "--key", "c", "--key=d,e", "--column", "x,y");
	assert_int_equal(p.opts.batch_size, 3 << 20);
	assert_false(p.opts.dry_run);
	assert_int_equal(p.opts.keys.count, 3);
	assert_string_equal(p.opts.keys.items[0], "c");
	assert_string_equal(p.opts.keys.items[2], "e");
	assert_int_equal(p.opts.columns.count, 1);
	assert_string_equal(p.opts.columns.items[0], "x,y");
	rv_cli_args_release(&p.args);

	BAD(&p, "option '--key': the value is empty", "", "x", "--key", "");
	BAD(&p, "option '--key': an item of 'a,,b' is empty", "", "x", "--key=a,,b");
	BAD(&p, "option '--key': an item of ',' is empty", "", "x", "--key", "a", "--key", ",");
	setenv("RIVER_PUSH_KEY", "a,", 1);
	BAD(&p, "environment variable RIVER_PUSH_KEY: an item of 'a,' is empty", "", "x");

	setenv("RIVER_PUSH_DRY_RUN", "maybe", 1);
	BAD(&p, "environment variable RIVER_PUSH_DRY_RUN: 'maybe' is not a yes or no (1, 0, true, "
	    "false, yes, no, on, off)", "", "x");
	unsetenv("RIVER_PUSH_DRY_RUN");
	unsetenv("RIVER_PUSH_BATCH_SIZE");
	unsetenv("RIVER_PUSH_KEY");
	unsetenv("RIVER_PUSH_COLUMN");
	unsetenv("RIVER_PUSH_FORMAT");

	p.config_value = "huge"; /* the file is wrong, not the command line */
	assert_int_equal(PARSE(&p, "x"), RV_BAD_CONFIG);
	assert_string_equal(p.err.message, "configuration key batch.size: 'huge' is not a size, as in "
					   "512KiB or 64MiB");
	rv_cli_args_release(&p.args);
}

static void test_variables(void **state)
{
	char name[RV_CLI_ENV_TEXT];
	(void)state;
	assert_true(rv_cli_env(&table[4], "stream create", name));
	assert_string_equal(name, "RIVER_STREAM_CREATE_MAX_REJECTS");
	assert_true(rv_cli_env(&globals[0], NULL, name));
	assert_string_equal(name, "RIVER_QUIET");
	struct rv_opt silent = table[0];
	silent.no_env = true;
	assert_false(rv_cli_env(&silent, "push", name));
	silent = table[0];
	silent.name = NULL;
	assert_false(rv_cli_env(&silent, "push", name));
}

static void test_words(void **state)
{
	(void)state;
	char **w = rv_cli_words("producer --x 'a b' | river push web/clicks --text=\"it's\" a\\ b >out");
	const char *want[] = { "river", "push", "web/clicks", "--text=it's", "a b" };
	for (size_t i = 0; i < 5; i++)
		assert_string_equal(w[i], want[i]);
	assert_null(w[5]);
	rv_cli_words_free(w);
	assert_null(rv_cli_words("cat river"));
	assert_null(rv_cli_words(""));
}

/* ---- the checks find what is wrong --------------------------------------------------------- */

static enum rv_status run_nothing(struct rv_command_context *cx, void *options, int n, char **operands,
				  struct rv_error *err)
{
	(void)cx, (void)options, (void)n, (void)operands, (void)err;
	return RV_OK;
}
static const struct rv_example good_examples[] = {
	{ "river push web/clicks -b 1MiB events.ndjson", "send a file" },
	{ "zcat x | river -q push web/clicks --wait landed", "send a pipe" },
	{ NULL }
};
static const struct rv_command good = {
	.name = "push", .summary = "send records", .operands = "<stream>", .options = table,
	.options_size = sizeof(struct opts), .examples = good_examples, .run = run_nothing,
};

static void add_problem(void *arg, const char *text)
{
	rv_strbuf_puts(arg, text);
	rv_strbuf_putc(arg, '\n');
}

static void check_says(const struct rv_command *command, const char *want)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_cli_check(command, globals, add_problem, &text);
	assert_string_equal(text.bytes, want);
}

static void test_check_good(void **state)
{
	(void)state;
	check_says(&good, "");
}

static void test_check_bad(void **state)
{
	(void)state;
	struct rv_command c = good;
	c.summary = "Send records.";
	check_says(&c, "river push: summary is not a phrase: Send records.\n");

	c = good;
	static const struct rv_example stale[] = {
		{ "river push --bach-size 1MiB x", "send a file" },
		{ "river query 'select 1'", "ask" },
		{ "river push --wait=later x", "wait" },
		{ NULL }
	};
	c.examples = stale;
	check_says(&c, "river push: example 'river push --bach-size 1MiB x': unknown option "
		       "'--bach-size'\n"
		       "river push: example 'river query 'select 1'': it is another command's\n"
		       "river push: example 'river push --wait=later x': option '--wait': 'later' is "
		       "not one of spooled, sent, landed\n");

	struct rv_opt bad[] = {
		OPT_FLAG(struct opts, 'q', "no-wait", dry_run, "Do not wait."),
		OPT_STRING(struct opts, 0, "quiet", format, "name", "another quiet"),
		OPT_SIZE(struct opts, 0, "size", batch_size, "Bytes", "a size", .def = "64 of them"),
		OPT_END
	};
	c = good;
	c.options = bad;
	c.examples = good_examples + 2;
	check_says(&c, "river push: --no-wait: flags are named for yes\n"
		       "river push: --no-wait: help is not a phrase: Do not wait.\n"
		       "river push: -q is there twice\n"
		       "river push: --quiet is there twice\n"
		       "river push: --size: argument is not lower case: Bytes\n"
		       "river push: --size: default: option '--size': '64 of them' is not a size, as "
		       "in 512KiB or 64MiB\n"
		       "river push: no example\n");
}

static void test_help_width(void **state)
{
	(void)state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_help_command(&text, &good);
	for (const char *line = text.bytes; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= RV_HELP_WIDTH);
	assert_non_null(strstr(text.bytes, "--batch-size <bytes>"));
	assert_non_null(strstr(text.bytes, "(default 64MiB)"));
	assert_non_null(strstr(text.bytes, "spooled, sent, landed"));
}

static void test_man_text(void **state)
{
	(void)state;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf text = RV_STRBUF_INIT;
	rv_man_text(&text, ".a\\b-c");
	assert_string_equal(text.bytes, "\\&.a\\eb\\-c");
	rv_strbuf_clear(&text);
	assert_true(rv_man_part(&text, &good, globals, "options"));
	assert_non_null(strstr(text.bytes, ".It Fl b , Fl \\-batch-size Ar \"bytes\"\n"));
	assert_false(rv_man_part(&text, &good, globals, "poem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_sources),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_check_good),
		cmocka_unit_test(test_check_bad),
		cmocka_unit_test(test_help_width),
		cmocka_unit_test(test_man_text),
	};
	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
