/*
 * The inner loop of csv: fields are copied to the output while they are searched for their end, so
 * a byte is touched once. What is not a plain byte (delimiter, quote, escape, line end) stops the
 * copy and is looked at here.
 */
#include "format/csv.h"
#include "format/text_copy.h"

enum { ROOM = 128 };

struct cursor {
	const char *p, *end;
	char *o;
	const char *o_limit; /* at least ROOM bytes of the buffer lie behind it */
	struct rv_strbuf *out;
};

static void __attribute__((noinline)) more_room(struct cursor *c, size_t need)
{
	c->out->len = (size_t)(c->o - c->out->bytes);
	rv_strbuf_reserve(c->out, c->out->len / 2 + need + 4 * ROOM);
	c->o = c->out->bytes + c->out->len;
	c->o_limit = c->out->bytes + c->out->capacity - ROOM;
}

static inline void make_room(struct cursor *c, size_t need)
{
	if (c->o >= c->o_limit || need > (size_t)(c->o_limit - c->o))
		more_room(c, need);
}

/* Copies plain bytes; false: at the end of the input, else *c->p is a stop byte. */
static inline bool copy_plain(struct cursor *c, struct rv_copy_stops stops, bool *high)
{
	for (;;) {
		bool stop = false;

		make_room(c, RV_COPY_BYTES);
		size_t n = rv_copy_chunk(c->p, c->o, stops, high, &stop);

		if (n >= (size_t)(c->end - c->p)) {
			c->o += c->end - c->p;
			c->p = c->end;
			return false;
		}
		c->p += n;
		c->o += n;
		if (stop)
			return true;
	}
}

static bool is_null(const struct rv_csv_rules *rules, const char *p, size_t len)
{
	for (size_t i = 0; i < rules->nulls_count; i++)
		if (strlen(rules->nulls[i]) == len && memcmp(rules->nulls[i], p, len) == 0)
			return true;
	return false;
}

/* '\n', or '\r' with '\n' behind it: the length. SIZE_MAX: a '\r' that came last. */
static inline size_t line_end(const struct cursor *c, bool final)
{
	if (*c->p == '\n')
		return 1;
	if (*c->p != '\r')
		return 0;
	if (c->end - c->p < 2)
		return final ? 1 : SIZE_MAX;
	return c->p[1] == '\n' ? 2 : 0;
}

enum rv_csv_end rv_csv_row(const struct rv_csv_rules *rules, const char *p, size_t len, bool final,
			   struct rv_strbuf *out, struct rv_csv_row *ret)
{
	char delimiter = rules->delimiter;
	char quote = rules->quote;
	const struct rv_copy_stops plain_stops = { delimiter, delimiter };
	const struct rv_copy_stops quoted_stops = { quote, quote };
	const char *const start = p;
	struct cursor c = { .p = p, .end = p + len, .o = out->bytes + out->len, .out = out };
	struct rv_csv_row r = { .fields = 0 };
	enum rv_csv_end end = RV_CSV_MORE;

	more_room(&c, len < 1024 ? len : 1024);
	for (;;) {
		bool wanted = r.fields < rules->columns_count;

		if (wanted) {
			const struct rv_csv_column *column = &rules->columns[r.fields];

			make_room(&c, column->len + 1);
			memcpy(c.o, column->prefix, column->len);
			c.o += column->len;
		}
		size_t value = (size_t)(c.o - out->bytes);

		*c.o++ = '"';
		bool quoted = quote && c.p < c.end && *c.p == quote;
		const char *field = c.p;

		if (quoted) {
			size_t opened = (size_t)(c.p - start);
			uint64_t opened_line = r.newlines;

			c.p++;
			for (;;) {
				if (!copy_plain(&c, quoted_stops, &r.high)) {
					r.quote_at = opened;
					r.quote_line = opened_line;
					end = RV_CSV_MORE_QUOTED;
					goto out;
				}
				if (*c.p != quote) {
					r.newlines += *c.p == '\n';
					c.o += rv_copy_escaped(*c.p++, c.o);
					continue;
				}
				if (c.end - c.p < 2 && !final)
					goto out;
				c.p++;
				if (c.p == c.end || *c.p != quote)
					break;
				c.o += rv_copy_escaped(*c.p++, c.o);
			}
			if (c.p < c.end && *c.p != delimiter) {
				size_t n = line_end(&c, final);

				if (n == SIZE_MAX)
					goto out;
				if (!n && !r.junk) {
					r.junk = true;
					r.junk_at = (size_t)(c.p - start);
				}
			}
		}
		/* An unquoted field, or junk behind a quoted one: up to delimiter or line end. */
		bool row_ends = false;
		size_t behind = 0;

		for (;;) {
			if (!copy_plain(&c, plain_stops, &r.high)) {
				if (!final)
					goto out;
				row_ends = true;
				break;
			}
			if (*c.p == delimiter) {
				behind = 1;
				break;
			}
			behind = line_end(&c, final);
			if (behind == SIZE_MAX)
				goto out;
			if (behind) {
				r.newlines += c.p[behind - 1] == '\n';
				row_ends = true;
				break;
			}
			r.lone_cr |= *c.p == '\r';
			c.o += rv_copy_escaped(*c.p++, c.o);
		}
		if (!quoted && rules->nulls_count && is_null(rules, field, (size_t)(c.p - field))) {
			c.o = out->bytes + value;
			memcpy(c.o, "null", 4);
			c.o += 4;
		} else {
			*c.o++ = '"';
		}
		c.p += behind;
		if (!wanted)
			c.o = out->bytes + value;
		r.fields++;
		if (row_ends) {
			end = RV_CSV_ROW;
			r.len = (size_t)(c.p - start);
			break;
		}
	}
out:
	out->len = (size_t)(c.o - out->bytes);
	*ret = r;
	return end;
}
