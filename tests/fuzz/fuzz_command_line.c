/*
 * Any words, NUL between them, for a table of every kind of option: refused with a sentence, or values within
 * their types; and the same words again, said in another way, are the same values.
 */
#include "fuzz.h"

#include "cli/parse.h"

struct options {
	bool dry_run, again;
	const char *format;
	uint64_t batch_size, max_rejects;
	int64_t age_ms;
	int level;
	struct rv_opt_list keys, columns;
};
static const char *const levels[] = { "spooled", "sent", "landed", NULL };
static const struct rv_opt table[] = {
	OPT_FLAG(struct options, 'n', "dry-run", dry_run, "say what would be sent"),
	OPT_STRING(struct options, 'f', "format", format, "format", "how records are written"),
	OPT_SIZE(struct options, 'b', "batch-size", batch_size, "bytes", "close a batch at this size",
		 .def = "64MiB"),
	OPT_COUNT(struct options, 0, "max-rejects", max_rejects, "n", "give up after so many"),
	OPT_DURATION(struct options, 0, "age", age_ms, "time", "close a batch after this time"),
	OPT_CHOICE(struct options, 'w', "wait", level, levels, "what exit 0 means", .def = "sent"),
	OPT_LIST(struct options, 'k', "key", keys, "column", "columns of the key", .comma = true),
	OPT_LIST(struct options, 0, "column", columns, "name:type", "declare a column"),
	OPT_END
};
static const struct rv_opt globals[] = {
	OPT_FLAG(struct options, 'a', "again", again, "send it anew"),
	OPT_END
};

struct parsed {
	struct rv_cli_args args;
	struct options options;
	size_t used;
	struct rv_error err;
};

static bool parse(char **words, bool first_operand_only, struct parsed *ret)
{
	const struct rv_cli_source sources[] = { { .table = table, .scope = "push" }, { .table = globals } };

	*ret = (struct parsed){ .args = RV_CLI_ARGS_INIT, .err = RV_ERROR_INIT };
	enum rv_status status =
		rv_cli_split(words, table, globals, first_operand_only, &ret->args, &ret->used, &ret->err);

	for (size_t i = 0; i < 2 && status == RV_OK; i++)
		status = rv_cli_parse(&sources[i], &ret->args, &ret->options, &ret->err);
	CHECK(status == RV_OK || (status == RV_USAGE && ret->err.message[0]));
	return status == RV_OK;
}

static void check_values(const struct options *o)
{
	CHECK(o->level >= 0 && o->level <= 2 && o->age_ms >= -1);
	for (size_t i = 0; i < o->keys.count; i++)
		CHECK(o->keys.items[i] && !strchr(o->keys.items[i], ','));
	for (size_t i = 0; i < o->columns.count; i++)
		CHECK(o->columns.items[i]);
}

static bool same_list(const struct rv_opt_list *a, const struct rv_opt_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->items[i], b->items[i]) != 0)
			return false;
	return true;
}

/* --x=VALUE for each, operands behind "--". */
static void check_again(const struct parsed *first)
{
	const struct rv_cli_args *args = &first->args;
	RV_CLEANUP(rv_free_p) char **words = rv_calloc(args->given_count + args->operands_count + 2, sizeof(*words));
	struct parsed again;
	size_t n = 0;

	for (size_t i = 0; i < args->given_count; i++) {
		const struct rv_cli_given *g = &args->given[i];

		words[n++] = g->value ? rv_asprintf("--%s=%s", g->option->name, g->value)
				      : rv_asprintf("--%s%s", g->negated ? "no-" : "", g->option->name);
	}
	size_t own = n;

	words[n] = rv_strdup("--");
	n++;
	for (size_t i = 0; i < args->operands_count; i++)
		words[n++] = args->operands[i];
	bool good = parse(words, false, &again);

	CHECK(good && again.used == n && again.args.operands_count == args->operands_count);
	for (size_t i = 0; i < args->operands_count; i++)
		CHECK(strcmp(again.args.operands[i], args->operands[i]) == 0);
	const struct options *a = &first->options, *b = &again.options;

	CHECK(a->dry_run == b->dry_run && a->again == b->again && a->batch_size == b->batch_size &&
	      a->max_rejects == b->max_rejects && a->age_ms == b->age_ms && a->level == b->level);
	CHECK(!a->format == !b->format && (!a->format || strcmp(a->format, b->format) == 0));
	CHECK(same_list(&a->keys, &b->keys) && same_list(&a->columns, &b->columns));
	rv_cli_args_release(&again.args);
	for (size_t i = 0; i <= own; i++)
		free(words[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[64];
	size_t count = 0;
	struct parsed parsed;
	bool yes;

	if (size < 1 || size > 2048)
		return 0;
	/* a NUL behind the last one */
	RV_CLEANUP(rv_free_p) char *text = rv_malloc(size);

	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (size_t at = 0; at < size && count < 63; at += strlen(text + at) + 1)
		words[count++] = text + at;
	words[count] = NULL;
	bool good = parse(words, data[0] & 1, &parsed);

	CHECK(parsed.used <= count);
	if (good) {
		check_values(&parsed.options);
		if (!(data[0] & 1)) {
			CHECK(parsed.used == count);
			check_again(&parsed);
		}
	}
	rv_cli_args_release(&parsed.args);
	(void)rv_cli_parse_bool(text, &yes);
	return 0;
}
