/*
 * duckdb_bare: DuckDB with nothing around it, what river's warehouse is measured against.
 *
 *	duckdb_bare sql DATABASE SQL...     runs each, prints the first value of each result
 *	duckdb_bare csv DATABASE SQL        prints the result as CSV, straight from the chunks
 *
 * The library is $RIVER_DUCKDB, else libduckdb.so from the loader. The CSV is river's: RFC 4180 with
 * LF; fields with a comma, quote, CR or LF and empty texts quoted; null is an empty field; booleans
 * are words, timestamps have a blank in the middle and no zeros at the end of their fraction, doubles
 * are the shortest text that reads back the same. It knows BOOLEAN, INTEGER, BIGINT, DOUBLE,
 * TIMESTAMP, VARCHAR, and DECIMAL of up to 18 digits, and refuses anything else.
 */
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the library ---- */

struct result {
	uint64_t column_count, row_count, rows_changed;
	void *columns;
	char *error_message;
	void *internal_data;
};
union text {
	struct {
		uint32_t len;
		char bytes[12];
	} near;
	struct {
		uint32_t len;
		char prefix[4];
		const char *p;
	} far;
};
enum { T_BOOLEAN = 1, T_SMALLINT = 3, T_INTEGER = 4, T_BIGINT = 5, T_DOUBLE = 11, T_TIMESTAMP = 12,
       T_VARCHAR = 17, T_DECIMAL = 19 };

#define FUNCTIONS(F)                                                                               \
	F(int, open_ext, (const char *, void **, void *, char **))                                 \
	F(void, close, (void **))                                                                  \
	F(int, connect, (void *, void **))                                                         \
	F(void, disconnect, (void **))                                                             \
	F(int, query, (void *, const char *, struct result *))                                     \
	F(void, destroy_result, (struct result *))                                                 \
	F(const char *, result_error, (struct result *))                                           \
	F(char *, value_varchar, (struct result *, uint64_t, uint64_t))                            \
	F(void, free, (void *))                                                                    \
	F(int, prepare, (void *, const char *, void **))                                           \
	F(const char *, prepare_error, (void *))                                                   \
	F(void, destroy_prepare, (void **))                                                        \
	F(int, pending_prepared_streaming, (void *, void **))                                      \
	F(const char *, pending_error, (void *))                                                   \
	F(int, execute_pending, (void *, struct result *))                                         \
	F(void, destroy_pending, (void **))                                                        \
	F(uint64_t, column_count, (struct result *))                                               \
	F(const char *, column_name, (struct result *, uint64_t))                                  \
	F(void *, column_logical_type, (struct result *, uint64_t))                                \
	F(int, get_type_id, (void *))                                                              \
	F(uint8_t, decimal_scale, (void *))                                                        \
	F(int, decimal_internal_type, (void *))                                                    \
	F(void, destroy_logical_type, (void **))                                                   \
	F(void *, fetch_chunk, (struct result))                                                    \
	F(uint64_t, data_chunk_get_size, (void *))                                                 \
	F(void *, data_chunk_get_vector, (void *, uint64_t))                                       \
	F(void *, vector_get_data, (void *))                                                       \
	F(uint64_t *, vector_get_validity, (void *))                                               \
	F(void, destroy_data_chunk, (void **))

static struct {
#define F(result, name, args) result(*name) args;
	FUNCTIONS(F)
#undef F
} duck;
static void *database, *connection;

__attribute__((noreturn)) static void die(const char *what, const char *why)
{
	fprintf(stderr, "duckdb_bare: %s: %s\n", what, why ? why : "failed");
	exit(1);
}

static void load_library(void)
{
	const char *path = getenv("RIVER_DUCKDB");
	void *handle = dlopen(path && *path ? path : "libduckdb.so", RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		die("open", dlerror());
#define F(result, name, args)                                                                      \
	*(void **)&duck.name = dlsym(handle, "duckdb_" #name);                                     \
	if (!duck.name)                                                                            \
		die("no function", #name);
	FUNCTIONS(F)
#undef F
}

static void open_database(const char *path)
{
	char *message = NULL;

	load_library();
	if (duck.open_ext(path, &database, NULL, &message))
		die(path, message);
	if (duck.connect(database, &connection))
		die(path, "connect");
}

static void close_database(void)
{
	duck.disconnect(&connection);
	duck.close(&database);
}

/* ---- sql ---- */

static void run_sql(const char *sql)
{
	struct result result = { 0 };

	if (duck.query(connection, sql, &result))
		die(sql, duck.result_error(&result));
	char *value = duck.value_varchar(&result, 0, 0);
	if (value)
		puts(value);
	duck.free(value);
	duck.destroy_result(&result);
}

/* ---- csv ---- */

enum { COLUMNS_MAX = 64, OUT_BYTES = 1 << 18 };

struct column {
	int type, width;
	unsigned scale;
	const void *data;
	const uint64_t *valid;
	/* the day of the row before */
	int64_t day;
	char day_text[12];
};

static char *out, *at, *out_end;

static void flush_out(void)
{
	for (const char *p = out; p < at;) {
		ssize_t n = write(1, p, (size_t)(at - p));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("standard output", strerror(errno));
		p += n;
	}
	at = out;
}

static inline void room(size_t n)
{
	if ((size_t)(out_end - at) >= n)
		return;
	flush_out();
	if ((size_t)(out_end - out) >= n)
		return;
	out = realloc(out, n);
	if (!out)
		die("memory", strerror(errno));
	at = out;
	out_end = out + n;
}

static const char pairs[] = "0001020304050607080910111213141516171819202122232425262728293031323334"
			    "3536373839404142434445464748495051525354555657585960616263646566676869"
			    "707172737475767778798081828384858687888990919293949596979899";

static inline char *two(char *p, unsigned n)
{
	memcpy(p, pairs + n * 2, 2);
	return p + 2;
}

/* Digits backwards from the end of a buffer; returns the first. */
static inline char *digits(char *end, uint64_t n)
{
	for (; n >= 100; n /= 100) {
		end -= 2;
		memcpy(end, pairs + n % 100 * 2, 2);
	}
	if (n < 10) {
		*--end = (char)('0' + n);
		return end;
	}
	end -= 2;
	memcpy(end, pairs + n * 2, 2);
	return end;
}

static inline char *put_decimal(char *p, int64_t v, unsigned scale)
{
	char buf[40], *end = buf + sizeof(buf);
	uint64_t n = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	char *first = digits(end, n);

	if (v < 0)
		*p++ = '-';
	/* at least one digit before the point */
	while (first > end - scale - 1)
		*--first = '0';
	size_t whole = (size_t)(end - first) - scale;
	memcpy(p, first, whole);
	p += whole;
	if (scale) {
		*p++ = '.';
		memcpy(p, first + whole, scale);
		p += scale;
	}
	return p;
}

static char *put_double(char *p, double v)
{
	static const double tens[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };
	double size = fabs(v);

	if (!isfinite(v))
		return p + sprintf(p, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
	for (unsigned k = 0; k <= 6 && size * tens[k] < 1e15; k++) {
		int64_t n = (int64_t)(size * tens[k] + 0.5);
		if ((double)n / tens[k] != size)
			continue;
		if (signbit(v))
			*p++ = '-';
		p = put_decimal(p, n, k);
		if (!k) {
			*p++ = '.';
			*p++ = '0';
		}
		return p;
	}
	int len = 0;
	for (int precision = 15; precision <= 17; precision++) {
		len = sprintf(p, "%.*g", precision, v);
		if (strtod(p, NULL) == v)
			break;
	}
	if (!strpbrk(p, ".e"))
		len += sprintf(p + len, ".0");
	return p + len;
}

static void write_day(char *p, int64_t day)
{
	/* eras of 400 years from 0000-03-01 on */
	int64_t z = day + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;
	int64_t month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);

	if (year < 0 || year > 9999)
		die("timestamp", "a year that has not four digits");
	p = two(p, (unsigned)year / 100);
	p = two(p, (unsigned)year % 100);
	*p++ = '-';
	p = two(p, (unsigned)month);
	*p++ = '-';
	p = two(p, (unsigned)(doy - (153 * mp + 2) / 5 + 1));
	*p = ' ';
}

static char *put_timestamp(char *p, struct column *c, int64_t t)
{
	const int64_t per_day = 86400000000;
	int64_t day = t / per_day - (t % per_day < 0), rest = t - day * per_day;
	unsigned seconds = (unsigned)(rest / 1000000), fraction = (unsigned)(rest % 1000000);

	if (c->day != day) {
		write_day(c->day_text, day);
		c->day = day;
	}
	memcpy(p, c->day_text, 11);
	p = two(p + 11, seconds / 3600);
	*p++ = ':';
	p = two(p, seconds / 60 % 60);
	*p++ = ':';
	p = two(p, seconds % 60);
	if (!fraction)
		return p;
	*p++ = '.';
	p = two(p, fraction / 10000);
	p = two(p, fraction / 100 % 100);
	p = two(p, fraction % 100);
	while (p[-1] == '0')
		p--;
	return p;
}

static void put_text(const char *s, size_t len)
{
	bool quote = !len;

	room(len * 2 + 256);
	for (size_t i = 0; i < len && !quote; i++)
		quote = s[i] == ',' || s[i] == '"' || s[i] == '\n' || s[i] == '\r';
	if (!quote) {
		memcpy(at, s, len);
		at += len;
		return;
	}
	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"')
			*at++ = '"';
		*at++ = s[i];
	}
	*at++ = '"';
}

static inline void put_value(struct column *c, uint64_t row)
{
	switch (c->type) {
	case T_BOOLEAN:
		if (((const uint8_t *)c->data)[row]) {
			memcpy(at, "true", 4);
			at += 4;
		} else {
			memcpy(at, "false", 5);
			at += 5;
		}
		break;
	case T_INTEGER:
		at = put_decimal(at, ((const int32_t *)c->data)[row], 0);
		break;
	case T_BIGINT:
		at = put_decimal(at, ((const int64_t *)c->data)[row], 0);
		break;
	case T_DOUBLE:
		at = put_double(at, ((const double *)c->data)[row]);
		break;
	case T_TIMESTAMP:
		at = put_timestamp(at, c, ((const int64_t *)c->data)[row]);
		break;
	case T_DECIMAL:
		at = put_decimal(at,
				 c->width == T_SMALLINT  ? ((const int16_t *)c->data)[row]
				 : c->width == T_INTEGER ? ((const int32_t *)c->data)[row]
							 : ((const int64_t *)c->data)[row],
				 c->scale);
		break;
	default: {
		const union text *s = (const union text *)c->data + row;
		put_text(s->near.len <= sizeof(s->near.bytes) ? s->near.bytes : s->far.p, s->near.len);
	}
	}
}

static void describe(struct result *result, uint64_t i, struct column *c)
{
	void *type = duck.column_logical_type(result, i);

	*c = (struct column){ .type = duck.get_type_id(type), .day = INT64_MIN };
	switch (c->type) {
	case T_BOOLEAN:
	case T_INTEGER:
	case T_BIGINT:
	case T_DOUBLE:
	case T_TIMESTAMP:
	case T_VARCHAR:
		break;
	case T_DECIMAL:
		c->scale = duck.decimal_scale(type);
		c->width = duck.decimal_internal_type(type);
		if (c->width == T_SMALLINT || c->width == T_INTEGER || c->width == T_BIGINT)
			break;
		/* fall through */
	default:
		die(duck.column_name(result, i), "a type this program does not print");
	}
	duck.destroy_logical_type(&type);
}

static void print_csv(const char *sql)
{
	struct result result = { 0 };
	struct column columns[COLUMNS_MAX];
	void *statement = NULL, *pending = NULL, *chunk;

	if (duck.prepare(connection, sql, &statement))
		die(sql, duck.prepare_error(statement));
	if (duck.pending_prepared_streaming(statement, &pending))
		die(sql, duck.pending_error(pending));
	if (duck.execute_pending(pending, &result))
		die(sql, duck.result_error(&result));
	uint64_t count = duck.column_count(&result);
	if (count > COLUMNS_MAX)
		die(sql, "too many columns");
	out = at = malloc(OUT_BYTES);
	if (!out)
		die("memory", strerror(errno));
	out_end = out + OUT_BYTES;
	for (uint64_t i = 0; i < count; i++) {
		const char *name = duck.column_name(&result, i);
		describe(&result, i, &columns[i]);
		put_text(name, strlen(name));
		*at++ = i + 1 < count ? ',' : '\n';
	}
	while ((chunk = duck.fetch_chunk(result))) {
		uint64_t rows = duck.data_chunk_get_size(chunk);
		for (uint64_t i = 0; i < count; i++) {
			void *vector = duck.data_chunk_get_vector(chunk, i);
			columns[i].data = duck.vector_get_data(vector);
			columns[i].valid = duck.vector_get_validity(vector);
		}
		for (uint64_t row = 0; row < rows; row++) {
			for (uint64_t i = 0; i < count; i++) {
				struct column *c = &columns[i];
				room(128);
				if (!c->valid || c->valid[row / 64] >> (row % 64) & 1)
					put_value(c, row);
				*at++ = i + 1 < count ? ',' : '\n';
			}
		}
		duck.destroy_data_chunk(&chunk);
	}
	const char *message = duck.result_error(&result);
	if (message && *message)
		die(sql, message);
	flush_out();
	duck.destroy_result(&result);
	duck.destroy_pending(&pending);
	duck.destroy_prepare(&statement);
}

int main(int argc, char **argv)
{
	if (argc < 4 || (strcmp(argv[1], "sql") && (strcmp(argv[1], "csv") || argc > 4))) {
		fprintf(stderr, "usage: duckdb_bare sql DATABASE SQL... | csv DATABASE SQL\n");
		return 2;
	}
	open_database(argv[2]);
	for (int i = 3; i < argc; i++) {
		if (!strcmp(argv[1], "sql"))
			run_sql(argv[i]);
		else
			print_csv(argv[i]);
	}
	close_database();
	if (fflush(stdout))
		die("standard output", strerror(errno));
	return 0;
}
