/*
 * The contract as a function of DuckDB: river_cut_<n>(record) gives a struct with the columns, and
 * behind them why the record is refused and the value at fault, and what it has in common with its duplicates. The columns
 * of its own have blanks in their names, which no column of a contract can have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "warehouse/cut.h"
#include "warehouse/duckdb_internal.h"

struct duck_cut {
	struct duck_cut *next;
	const struct rv_duckdb_api *api;
	const struct rv_stream *stream;
	struct rv_cut *cut;
};

static duck_type type_of(const struct rv_duckdb_api *api, const struct rv_column *column)
{
	static const int ids[] = {
		[RV_COLUMN_STRING] = DUCK_VARCHAR,   [RV_COLUMN_INTEGER] = DUCK_BIGINT,
		[RV_COLUMN_DOUBLE] = DUCK_DOUBLE,    [RV_COLUMN_BOOLEAN] = DUCK_BOOLEAN,
		[RV_COLUMN_DATE] = DUCK_DATE,	     [RV_COLUMN_TIMESTAMP] = DUCK_TIMESTAMP,
		[RV_COLUMN_JSON] = DUCK_VARCHAR,
	};

	if (column->type == RV_COLUMN_DECIMAL)
		return api->create_decimal_type((uint8_t)column->precision, (uint8_t)column->scale);
	duck_type type = api->create_logical_type(ids[column->type]);

	if (column->type == RV_COLUMN_JSON)
		api->logical_type_set_alias(type, "JSON");
	return type;
}

/* ---- filling vectors ---- */

struct target {
	duck_vector vector;
	void *data;
	uint64_t *valid; /* made when the first null comes */
};

static void set_null(const struct rv_duckdb_api *api, struct target *t, duck_idx row)
{
	if (!t->valid) {
		api->vector_ensure_validity_writable(t->vector);
		t->valid = api->vector_get_validity(t->vector);
	}
	t->valid[row / 64] &= ~(UINT64_C(1) << (row % 64));
}

static void set_decimal(void *data, duck_idx row, unsigned precision, __int128 value)
{
	if (precision <= 4)
		((int16_t *)data)[row] = (int16_t)value;
	else if (precision <= 9)
		((int32_t *)data)[row] = (int32_t)value;
	else if (precision <= 18)
		((int64_t *)data)[row] = (int64_t)value;
	else
		memcpy((char *)data + row * 16, &value, 16);
}

static void set_value(const struct rv_duckdb_api *api, const struct rv_column *column,
		      struct target *t, duck_idx row, const struct rv_cut_value *value)
{
	if (value->null) {
		set_null(api, t, row);
		return;
	}
	switch (column->type) {
	case RV_COLUMN_STRING:
	case RV_COLUMN_JSON:
		api->assign_checked_text(t->vector, row, value->u.text.p, value->u.text.len);
		break;
	case RV_COLUMN_INTEGER:
	case RV_COLUMN_TIMESTAMP:
		((int64_t *)t->data)[row] = value->u.integer;
		break;
	case RV_COLUMN_DATE:
		((int32_t *)t->data)[row] = (int32_t)value->u.integer;
		break;
	case RV_COLUMN_DOUBLE:
		((double *)t->data)[row] = value->u.number;
		break;
	case RV_COLUMN_BOOLEAN:
		((uint8_t *)t->data)[row] = value->u.boolean;
		break;
	case RV_COLUMN_DECIMAL:
		set_decimal(t->data, row, column->precision, value->u.decimal);
		break;
	}
}

static void set_text(const struct rv_duckdb_api *api, struct target *t, duck_idx row,
		     const char *text)
{
	api->vector_assign_string_element_len(t->vector, row, text, strlen(text));
}

static void cut_rows(duck_function_info info, duck_chunk input, duck_vector output)
{
	const struct rv_duckdb_api *api = rv_duckdb_loaded();
	const struct duck_cut *c = api->scalar_function_get_extra_info(info);
	size_t columns = c->stream->columns_count;
	duck_idx n = api->data_chunk_get_size(input);
	const union duck_string *records =
		api->vector_get_data(api->data_chunk_get_vector(input, 0));
	RV_CLEANUP(rv_free_p) struct target *targets = rv_calloc(columns + 4, sizeof(*targets));
	RV_CLEANUP(rv_free_p) struct rv_cut_value *values = rv_calloc(columns + 1, sizeof(*values));
	struct rv_cut_scratch *scratch = rv_cut_scratch_new(c->cut);
	struct target *column = &targets[columns], *reason = column + 1, *fault = column + 2,
		      *identity = column + 3;

	for (size_t i = 0; i < columns + 4; i++) {
		targets[i].vector = api->struct_vector_get_child(output, i);
		targets[i].data = api->vector_get_data(targets[i].vector);
	}
	for (duck_idx row = 0; row < n; row++) {
		const char *p = duck_string_bytes(&records[row]);
		size_t len = records[row].near.len;
		struct rv_cut_refusal refusal;

		if (rv_cut_record(c->cut, scratch, p, len, values, &refusal)) {
			for (size_t i = 0; i < columns; i++)
				set_value(api, &c->stream->columns[i], &targets[i], row, &values[i]);
			set_null(api, column, row);
			set_null(api, reason, row);
			set_null(api, fault, row);
			rv_cut_identity(c->cut, scratch, p, len, values,
					(uint64_t *)identity->data + row * 2);
			continue;
		}
		for (size_t i = 0; i < columns; i++)
			set_null(api, &targets[i], row);
		set_text(api, column, row, refusal.column);
		set_text(api, reason, row, refusal.reason);
		if (refusal.value[0])
			set_text(api, fault, row, refusal.value);
		else
			set_null(api, fault, row);
		set_null(api, identity, row);
	}
	rv_cut_scratch_free(scratch);
}

/* ---- registering ---- */

enum rv_status duck_cut_register(struct rv_duckdb *d, const struct rv_stream *stream,
				 struct rv_error *err)
{
	const struct rv_duckdb_api *api = d->api;
	size_t n = stream->columns_count + 4;
	struct duck_cut *c = rv_calloc(1, sizeof(*c));

	c->api = api;
	c->stream = stream;
	c->next = d->cuts;
	d->cuts = c; /* freed when the database is closed, which may still call it */
	d->cuts_count++;
	if (rv_cut_new(stream, &c->cut, err) != RV_OK)
		return err->status;
	RV_CLEANUP(rv_free_p) duck_type *types = rv_calloc(n, sizeof(*types));
	RV_CLEANUP(rv_free_p) const char **names = rv_calloc(n, sizeof(*names));

	for (size_t i = 0; i < stream->columns_count; i++) {
		types[i] = type_of(api, &stream->columns[i]);
		names[i] = stream->columns[i].name;
	}
	types[n - 4] = api->create_logical_type(DUCK_VARCHAR);
	names[n - 4] = DUCK_CUT_COLUMN;
	types[n - 3] = api->create_logical_type(DUCK_VARCHAR);
	names[n - 3] = DUCK_CUT_REASON;
	types[n - 2] = api->create_logical_type(DUCK_VARCHAR);
	names[n - 2] = DUCK_CUT_VALUE;
	types[n - 1] = api->create_logical_type(DUCK_HUGEINT);
	names[n - 1] = DUCK_CUT_IDENTITY;
	duck_type result = api->create_struct_type(types, names, n);
	duck_type text = api->create_logical_type(DUCK_VARCHAR);
	duck_scalar_function function = api->create_scalar_function();
	char name[32];

	duck_cut_name(d, name);
	api->scalar_function_set_name(function, name);
	api->scalar_function_add_parameter(function, text);
	api->scalar_function_set_return_type(function, result);
	api->scalar_function_set_extra_info(function, c, NULL);
	/* Or the optimizer would cut each record once for every column that is asked for. */
	api->scalar_function_set_volatile(function);
	api->scalar_function_set_function(function, cut_rows);
	bool failed = api->register_scalar_function(d->connection, function) != 0;

	api->destroy_scalar_function(&function);
	api->destroy_logical_type(&text);
	api->destroy_logical_type(&result);
	for (size_t i = 0; i < n; i++)
		api->destroy_logical_type(&types[i]);
	return failed ? rv_fail(err, RV_FAILED, "DuckDB takes no function") : RV_OK;
}

const char *duck_cut_name(const struct rv_duckdb *d, char buf[32])
{
	snprintf(buf, 32, "river_cut_%u", d->cuts_count);
	return buf;
}

bool duck_cut_dedups(const struct rv_duckdb *d)
{
	return rv_cut_dedups(d->cuts->cut);
}

void duck_cut_free_all(struct rv_duckdb *d)
{
	while (d->cuts) {
		struct duck_cut *next = d->cuts->next;

		rv_cut_free(d->cuts->cut);
		free(d->cuts);
		d->cuts = next;
	}
	d->cuts_count = 0;
}
