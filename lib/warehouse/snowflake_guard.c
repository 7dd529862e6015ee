/* A lexer for Snowflake's SQL that knows quotes, comments and words, and nothing of what they mean. */
#include "warehouse/snowflake_guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"

#define WORD_MAX 80
#define NO_WITH  (-1000000000)

/* Statements that read, or change nothing beyond the request they are in. */
static const char *const readers[] = {
	"SELECT", "WITH", "VALUES", "SHOW", "DESC", "DESCRIBE", "EXPLAIN", "LIST", "LS", "USE", "SET",
	"UNSET", NULL,
};
/* Of the functions that are called SYSTEM$..., many do something. These tell. */
static const char *const tellers[] = {
	"SYSTEM$ALLOWLIST", "SYSTEM$BEHAVIOR_CHANGE_BUNDLE_STATUS", "SYSTEM$CLUSTERING_DEPTH",
	"SYSTEM$CLUSTERING_INFORMATION", "SYSTEM$CURRENT_USER_TASK_NAME", "SYSTEM$LAST_CHANGE_COMMIT_TIME",
	"SYSTEM$PIPE_STATUS", "SYSTEM$STREAM_HAS_DATA", "SYSTEM$STREAM_GET_TABLE_TIMESTAMP",
	"SYSTEM$TYPEOF", NULL,
};
static const char *const telling_beginnings[] = {
	"SYSTEM$ESTIMATE_", "SYSTEM$EXPLAIN_", "SYSTEM$GET_", "SYSTEM$SHOW_", NULL,
};

/* What WITH may be in front of and is no query. */
static const char *const followers_of_with[] = { "INSERT", "UPDATE", "DELETE", "MERGE", "CALL", NULL };

enum kind { END, WORD, NAME, SEMICOLON, FLOW, OPEN, CLOSE, OTHER, BROKEN };
struct token {
	enum kind kind;
	char word[WORD_MAX]; /* of WORD and NAME (in quotes), upper case, cut; or what is wrong */
};

static bool begins_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool in_word(char c)
{
	return begins_word(c) || (c >= '0' && c <= '9') || c == '$';
}

/* Behind the quote that ends it; NULL: it does not end. */
static const char *skip_quoted(const char *p)
{
	char quote = *p++;

	for (; *p; p++) {
		if (*p == '\\' && quote == '\'' && p[1])
			p++;
		else if (*p == quote && p[1] == quote)
			p++;
		else if (*p == quote)
			return p + 1;
	}
	return NULL;
}

static struct token broken(const char *what)
{
	struct token token = { .kind = BROKEN };

	snprintf(token.word, sizeof(token.word), "%s", what);
	return token;
}

static void take_word(struct token *token, enum kind kind, const char *p, const char *end)
{
	size_t n = 0;

	token->kind = kind;
	for (; p < end && n < WORD_MAX - 1; p++)
		token->word[n++] = *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p;
}

/* The next token of *at, which moves behind it. Texts are OTHER. */
static struct token next(const char **at)
{
	const char *p = *at, *end;
	struct token token = { .kind = OTHER };

	for (;;) {
		p += strspn(p, " \t\r\n\f\v");
		if ((p[0] == '-' && p[1] == '-') || (p[0] == '/' && p[1] == '/')) {
			end = p + strcspn(p, "\n");
			/* Where a line ends there is for Snowflake to say: this may be one or two. */
			for (const char *cr = p; (cr = memchr(cr, '\r', (size_t)(end - cr))); cr++)
				if (cr + 1 < end)
					return broken("has a carriage return within a comment");
			p = end;
		} else if (p[0] == '/' && p[1] == '*') {
			end = strstr(p + 2, "*/");
			if (!end)
				return broken("ends within a comment");
			p = end + 2;
		} else {
			break;
		}
	}
	*at = p + 1;
	if (!*p) {
		*at = p;
		token.kind = END;
	} else if (*p == '\'' || *p == '"') {
		end = skip_quoted(p);
		if (!end)
			return broken(*p == '"' ? "ends within a quoted name" : "ends within a text");
		if (*p == '"')
			take_word(&token, NAME, p + 1, end - 1);
		*at = end;
	} else if (p[0] == '$' && p[1] == '$') {
		end = strstr(p + 2, "$$");
		if (!end)
			return broken("ends within a text between $$");
		*at = end + 2;
	} else if (strncmp(p, "->>", 3) == 0) {
		token.kind = FLOW;
		*at = p + 3;
	} else if (*p == ';') {
		token.kind = SEMICOLON;
	} else if (*p == '(') {
		token.kind = OPEN;
	} else if (*p == ')') {
		token.kind = CLOSE;
	} else if (begins_word(*p)) {
		for (end = p; in_word(*end); end++)
			;
		take_word(&token, WORD, p, end);
		*at = end;
	}
	return token;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static bool tells(const char *function)
{
	for (const char *const *p = telling_beginnings; *p; p++)
		if (rv_starts_with(function, *p))
			return true;
	return is_one_of(function, tellers);
}

static enum rv_status refuse(struct rv_error *err, unsigned number, const char *what)
{
	char place[32] = "";

	if (number > 1)
		snprintf(place, sizeof(place), " (statement %u)", number);
	rv_fail(err, RV_USAGE, "%s is not a query%s", what, place);
	rv_hint(err, "with --write anything goes");
	return RV_USAGE;
}

/* IDENTIFIER('...')(...) calls what the text names. `rest` is behind the word IDENTIFIER. */
static bool calls_by_text(const char *rest)
{
	struct token token = next(&rest);

	if (token.kind != OPEN)
		return false;
	for (int depth = 1; depth > 0;) {
		token = next(&rest);
		if (token.kind == END || token.kind == BROKEN)
			return false;
		depth += (token.kind == OPEN) - (token.kind == CLOSE);
	}
	return next(&rest).kind == OPEN;
}

/* Why a token is none of a query's; NULL: it may be. `after_with`: it may be what WITH is in front of. */
static const char *writes(const struct token *token, const char *rest, bool after_with, bool after_as)
{
	bool named = token->kind == WORD || token->kind == NAME;

	/* WITH p AS PROCEDURE ... CALL p() */
	if (after_as && token->kind == WORD && strcmp(token->word, "PROCEDURE") == 0)
		return "WITH ... AS PROCEDURE";
	if (after_with && token->kind == WORD && is_one_of(token->word, followers_of_with))
		return token->word;
	if (named && rv_starts_with(token->word, "SYSTEM$") && !tells(token->word))
		return token->word;
	if (token->kind == WORD && strcmp(token->word, "IDENTIFIER") == 0 && calls_by_text(rest))
		return "a call of IDENTIFIER(...)";
	return NULL;
}

/* A block of Snowflake's scripting: its semicolons divide nothing that is sent. */
static bool begins_block(const struct token *token, const char *rest)
{
	struct token following;

	if (strcmp(token->word, "DECLARE") == 0)
		return true;
	if (strcmp(token->word, "BEGIN") != 0)
		return false;
	following = next(&rest);
	return following.kind == WORD && strcmp(following.word, "TRANSACTION") != 0 &&
	       strcmp(following.word, "WORK") != 0 && strcmp(following.word, "NAME") != 0;
}

enum rv_status snow_guard(const char *sql, bool writable, unsigned *ret_count, struct rv_error *err)
{
	unsigned count = 0;
	bool first = true, empty = true, after_as = false, after_close = false;
	int depth = 0, with_depth = NO_WITH;

	for (const char *at = sql;;) {
		struct token token = next(&at);

		if (token.kind == BROKEN)
			return rv_fail(err, RV_USAGE, "the SQL %s", token.word);
		if (token.kind == END || token.kind == SEMICOLON) {
			count += !empty;
			if (token.kind == END)
				break;
			first = empty = true;
			depth = 0;
			with_depth = NO_WITH;
			continue;
		}
		if (empty && token.kind == FLOW)
			return rv_fail(err, RV_USAGE, "'->>' has nothing in front of it");
		bool begins = first && token.kind != OPEN;

		empty = false;
		first = token.kind == FLOW || (first && token.kind == OPEN);
		if (token.kind == WORD && (begins || after_as) && begins_block(&token, at)) {
			if (!writable)
				return refuse(err, count + 1, token.word);
			count++;
			break;
		}
		if (!writable && begins && token.kind == WORD && !is_one_of(token.word, readers)) {
			/* Of what ALTER alters, only the session is this request's own. */
			const char *rest = at;
			struct token what = next(&rest);

			if (strcmp(token.word, "ALTER") != 0 || what.kind != WORD ||
			    strcmp(what.word, "SESSION") != 0)
				return refuse(err, count + 1, token.word);
		}
		if (!writable && begins && token.kind != WORD && token.kind != FLOW)
			return refuse(err, count + 1, "what does not begin with a word");
		const char *why = writable ? NULL : writes(&token, at, after_close && depth == with_depth,
							      after_as);

		if (why)
			return refuse(err, count + 1, why);
		depth += (token.kind == OPEN) - (token.kind == CLOSE);
		if (begins && token.kind == WORD && strcmp(token.word, "WITH") == 0)
			with_depth = depth;
		else if (depth == with_depth && token.kind == WORD && strcmp(token.word, "SELECT") == 0)
			with_depth = NO_WITH;
		after_close = token.kind == CLOSE;
		after_as = token.kind == WORD && strcmp(token.word, "AS") == 0;
	}
	if (!count)
		return rv_fail(err, RV_USAGE, "there is no statement in the SQL");
	*ret_count = count;
	return RV_OK;
}
