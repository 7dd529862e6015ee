/*
 * The functions of libduckdb that river calls, declared here and looked up at run time, so that
 * river builds and starts without DuckDB and opens it only in the verbs that need it.
 *
 * Shapes follow DuckDB's C API as of 1.5, which is stable within 1.x (DuckDB, "C API", the
 * stability notes in its header); handles are opaque. rv_duckdb_api() loads once per process.
 */
#ifndef RV_WAREHOUSE_DUCKDB_API_H
#define RV_WAREHOUSE_DUCKDB_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef uint64_t duck_idx;
typedef int duck_state; /* 0 is success */
typedef struct duck_database_ *duck_database;
typedef struct duck_connection_ *duck_connection;
typedef struct duck_config_ *duck_config;
typedef struct duck_prepared_ *duck_prepared;
typedef struct duck_extracted_ *duck_extracted;
typedef struct duck_pending_ *duck_pending;
typedef struct duck_type_ *duck_type;
typedef struct duck_chunk_ *duck_chunk;
typedef struct duck_vector_ *duck_vector;
typedef struct duck_table_function_ *duck_table_function;
typedef struct duck_scalar_function_ *duck_scalar_function;
typedef struct duck_bind_info_ *duck_bind_info;
typedef struct duck_init_info_ *duck_init_info;
typedef struct duck_function_info_ *duck_function_info;
typedef struct duck_table_description_ *duck_table_description;

/* duckdb_result: passed by value to some functions, so its size matters. */
struct duck_result {
	uint64_t column_count, row_count, rows_changed;
	void *columns;
	char *error_message;
	void *internal_data;
};
/* Sixteen bytes: short strings lie inside. */
union duck_string {
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
_Static_assert(sizeof(union duck_string) == 16, "strings of DuckDB are sixteen bytes");
static inline const char *duck_string_bytes(const union duck_string *s)
{
	return s->near.len <= sizeof(s->near.bytes) ? s->near.bytes : s->far.p;
}
struct duck_list_entry {
	uint64_t offset, len;
};
struct duck_hugeint {
	uint64_t lower;
	int64_t upper;
};
struct duck_interval {
	int32_t months, days;
	int64_t micros;
};

enum duck_type_id {
	DUCK_INVALID = 0,
	DUCK_BOOLEAN = 1,
	DUCK_TINYINT = 2,
	DUCK_SMALLINT = 3,
	DUCK_INTEGER = 4,
	DUCK_BIGINT = 5,
	DUCK_UTINYINT = 6,
	DUCK_USMALLINT = 7,
	DUCK_UINTEGER = 8,
	DUCK_UBIGINT = 9,
	DUCK_FLOAT = 10,
	DUCK_DOUBLE = 11,
	DUCK_TIMESTAMP = 12,
	DUCK_DATE = 13,
	DUCK_TIME = 14,
	DUCK_INTERVAL = 15,
	DUCK_HUGEINT = 16,
	DUCK_VARCHAR = 17,
	DUCK_BLOB = 18,
	DUCK_DECIMAL = 19,
	DUCK_TIMESTAMP_S = 20,
	DUCK_TIMESTAMP_MS = 21,
	DUCK_TIMESTAMP_NS = 22,
	DUCK_ENUM = 23,
	DUCK_LIST = 24,
	DUCK_STRUCT = 25,
	DUCK_MAP = 26,
	DUCK_UUID = 27,
	DUCK_UNION = 28,
	DUCK_BIT = 29,
	DUCK_TIME_TZ = 30,
	DUCK_TIMESTAMP_TZ = 31,
	DUCK_UHUGEINT = 32,
	DUCK_ARRAY = 33,
	DUCK_BIGNUM = 35,
	DUCK_SQLNULL = 36,
	DUCK_TIME_NS = 39,
};
enum duck_statement {
	DUCK_STATEMENT_SELECT = 1,
	DUCK_STATEMENT_EXPLAIN = 4,
	DUCK_STATEMENT_CREATE = 7,
	DUCK_STATEMENT_CALL = 19,
};
enum { DUCK_PENDING_READY = 0, DUCK_PENDING_NOT_READY = 1, DUCK_PENDING_ERROR = 2,
       DUCK_PENDING_NO_TASKS = 3 };
enum { DUCK_ERROR_IO = 28, DUCK_ERROR_INTERRUPT = 29, DUCK_ERROR_OUT_OF_MEMORY = 33,
       DUCK_ERROR_PERMISSION = 34 };
enum { DUCK_RESULT_ROWS = 3 };

/* DUCK(result, name without duckdb_, arguments) */
#define DUCK_FUNCTIONS(DUCK)                                                                       \
	DUCK(const char *, library_version, (void))                                                \
	DUCK(duck_state, open_ext, (const char *, duck_database *, duck_config, char **))          \
	DUCK(void, close, (duck_database *))                                                       \
	DUCK(duck_state, connect, (duck_database, duck_connection *))                              \
	DUCK(void, disconnect, (duck_connection *))                                                \
	DUCK(void, interrupt, (duck_connection))                                                   \
	DUCK(duck_state, create_config, (duck_config *))                                           \
	DUCK(duck_state, set_config, (duck_config, const char *, const char *))                    \
	DUCK(void, destroy_config, (duck_config *))                                                \
	DUCK(void, free, (void *))                                                                 \
	DUCK(void, destroy_result, (struct duck_result *))                                         \
	DUCK(duck_state, table_description_create_ext,                                             \
	     (duck_connection, const char *, const char *, const char *,                           \
	      duck_table_description *))                                                           \
	DUCK(const char *, table_description_error, (duck_table_description))                      \
	DUCK(void, table_description_destroy, (duck_table_description *))                          \
	DUCK(const char *, result_error, (struct duck_result *))                                   \
	DUCK(int, result_error_type, (struct duck_result *))                                       \
	DUCK(int, result_return_type, (struct duck_result))                                        \
	DUCK(duck_idx, column_count, (struct duck_result *))                                       \
	DUCK(const char *, column_name, (struct duck_result *, duck_idx))                          \
	DUCK(duck_type, column_logical_type, (struct duck_result *, duck_idx))                     \
	DUCK(duck_idx, rows_changed, (struct duck_result *))                                       \
	DUCK(duck_chunk, fetch_chunk, (struct duck_result))                                        \
	DUCK(duck_idx, extract_statements, (duck_connection, const char *, duck_extracted *))      \
	DUCK(duck_state, prepare_extracted_statement,                                              \
	     (duck_connection, duck_extracted, duck_idx, duck_prepared *))                         \
	DUCK(const char *, extract_statements_error, (duck_extracted))                             \
	DUCK(void, destroy_extracted, (duck_extracted *))                                          \
	DUCK(duck_state, prepare, (duck_connection, const char *, duck_prepared *))                \
	DUCK(const char *, prepare_error, (duck_prepared))                                         \
	DUCK(int, prepared_statement_type, (duck_prepared))                                        \
	DUCK(void, destroy_prepare, (duck_prepared *))                                             \
	DUCK(duck_state, bind_varchar_length, (duck_prepared, duck_idx, const char *, duck_idx))   \
	DUCK(duck_state, bind_int64, (duck_prepared, duck_idx, int64_t))                           \
	DUCK(duck_state, bind_uint64, (duck_prepared, duck_idx, uint64_t))                         \
	DUCK(duck_state, bind_timestamp, (duck_prepared, duck_idx, int64_t))                       \
	DUCK(duck_state, bind_null, (duck_prepared, duck_idx))                                     \
	DUCK(duck_state, pending_prepared, (duck_prepared, duck_pending *))                        \
	DUCK(duck_state, pending_prepared_streaming, (duck_prepared, duck_pending *))              \
	DUCK(const char *, pending_error, (duck_pending))                                          \
	DUCK(int, pending_execute_task, (duck_pending))                                            \
	DUCK(duck_state, execute_pending, (duck_pending, struct duck_result *))                    \
	DUCK(void, destroy_pending, (duck_pending *))                                              \
	DUCK(duck_type, create_logical_type, (int))                                                \
	DUCK(duck_type, create_decimal_type, (uint8_t, uint8_t))                                   \
	DUCK(duck_type, create_struct_type, (duck_type *, const char **, duck_idx))                \
	DUCK(void, logical_type_set_alias, (duck_type, const char *))                              \
	DUCK(char *, logical_type_get_alias, (duck_type))                                          \
	DUCK(int, get_type_id, (duck_type))                                                        \
	DUCK(uint8_t, decimal_scale, (duck_type))                                                  \
	DUCK(int, decimal_internal_type, (duck_type))                                              \
	DUCK(int, enum_internal_type, (duck_type))                                                 \
	DUCK(uint32_t, enum_dictionary_size, (duck_type))                                          \
	DUCK(char *, enum_dictionary_value, (duck_type, duck_idx))                                 \
	DUCK(duck_type, list_type_child_type, (duck_type))                                         \
	DUCK(duck_type, array_type_child_type, (duck_type))                                        \
	DUCK(duck_idx, array_type_array_size, (duck_type))                                         \
	DUCK(duck_type, map_type_key_type, (duck_type))                                            \
	DUCK(duck_type, map_type_value_type, (duck_type))                                          \
	DUCK(duck_idx, struct_type_child_count, (duck_type))                                       \
	DUCK(char *, struct_type_child_name, (duck_type, duck_idx))                                \
	DUCK(duck_type, struct_type_child_type, (duck_type, duck_idx))                             \
	DUCK(void, destroy_logical_type, (duck_type *))                                            \
	DUCK(void, destroy_data_chunk, (duck_chunk *))                                             \
	DUCK(duck_vector, data_chunk_get_vector, (duck_chunk, duck_idx))                           \
	DUCK(duck_idx, data_chunk_get_size, (duck_chunk))                                          \
	DUCK(void, data_chunk_set_size, (duck_chunk, duck_idx))                                    \
	DUCK(duck_idx, vector_size, (void))                                                        \
	DUCK(void *, vector_get_data, (duck_vector))                                               \
	DUCK(uint64_t *, vector_get_validity, (duck_vector))                                       \
	DUCK(void, vector_ensure_validity_writable, (duck_vector))                                 \
	DUCK(void, vector_assign_string_element_len,                                               \
	     (duck_vector, duck_idx, const char *, duck_idx))                                      \
	DUCK(duck_vector, list_vector_get_child, (duck_vector))                                    \
	DUCK(duck_vector, struct_vector_get_child, (duck_vector, duck_idx))                        \
	DUCK(duck_vector, array_vector_get_child, (duck_vector))                                   \
	DUCK(duck_table_function, create_table_function, (void))                                   \
	DUCK(void, destroy_table_function, (duck_table_function *))                                \
	DUCK(void, table_function_set_name, (duck_table_function, const char *))                   \
	DUCK(void, table_function_set_extra_info,                                                  \
	     (duck_table_function, void *, void (*)(void *)))                                      \
	DUCK(void, table_function_set_bind, (duck_table_function, void (*)(duck_bind_info)))       \
	DUCK(void, table_function_set_init, (duck_table_function, void (*)(duck_init_info)))       \
	DUCK(void, table_function_set_local_init, (duck_table_function, void (*)(duck_init_info))) \
	DUCK(void, table_function_set_function,                                                    \
	     (duck_table_function, void (*)(duck_function_info, duck_chunk)))                      \
	DUCK(void, table_function_supports_projection_pushdown, (duck_table_function, bool))       \
	DUCK(duck_state, register_table_function, (duck_connection, duck_table_function))          \
	DUCK(void *, bind_get_extra_info, (duck_bind_info))                                        \
	DUCK(void, bind_add_result_column, (duck_bind_info, const char *, duck_type))              \
	DUCK(void *, init_get_extra_info, (duck_init_info))                                        \
	DUCK(void, init_set_init_data, (duck_init_info, void *, void (*)(void *)))                 \
	DUCK(duck_idx, init_get_column_count, (duck_init_info))                                    \
	DUCK(duck_idx, init_get_column_index, (duck_init_info, duck_idx))                          \
	DUCK(void, init_set_max_threads, (duck_init_info, duck_idx))                               \
	DUCK(void *, function_get_extra_info, (duck_function_info))                                \
	DUCK(void *, function_get_init_data, (duck_function_info))                                 \
	DUCK(void *, function_get_local_init_data, (duck_function_info))                           \
	DUCK(void, function_set_error, (duck_function_info, const char *))                         \
	DUCK(duck_scalar_function, create_scalar_function, (void))                                 \
	DUCK(void, destroy_scalar_function, (duck_scalar_function *))                              \
	DUCK(void, scalar_function_set_name, (duck_scalar_function, const char *))                 \
	DUCK(void, scalar_function_set_volatile, (duck_scalar_function))                           \
	DUCK(void, scalar_function_add_parameter, (duck_scalar_function, duck_type))               \
	DUCK(void, scalar_function_set_return_type, (duck_scalar_function, duck_type))             \
	DUCK(void, scalar_function_set_extra_info,                                                 \
	     (duck_scalar_function, void *, void (*)(void *)))                                     \
	DUCK(void, scalar_function_set_function,                                                   \
	     (duck_scalar_function, void (*)(duck_function_info, duck_chunk, duck_vector)))        \
	DUCK(duck_state, register_scalar_function, (duck_connection, duck_scalar_function))        \
	DUCK(void *, scalar_function_get_extra_info, (duck_function_info))                         \
	DUCK(void, scalar_function_set_error, (duck_function_info, const char *))

struct rv_duckdb_api {
#define DUCK(result, name, args) result (*name) args;
	DUCK_FUNCTIONS(DUCK)
#undef DUCK
	/* Optional: the same as vector_assign_string_element_len without checking UTF-8. */
	void (*assign_checked_text)(duck_vector, duck_idx, const char *, duck_idx);
	char path[1024];     /* what was loaded */
	char version[64];    /* "v1.5.5" */
};

/*
 * The loaded library: from $RIVER_DUCKDB, else <binary>/../lib/river, <binary>/lib and ../lib
 * (the build tree), $XDG_DATA_HOME/river/duckdb, else the loader's own folders. Each is a file libduckdb.so.
 * RV_NOT_FOUND when there is none (the hint says how to get it), RV_BAD_CONFIG when it is not 1.x
 * from 1.5 or lacks a function. May be called by any thread.
 */
enum rv_status rv_duckdb_api(const struct rv_duckdb_api **ret, struct rv_error *err) RV_MUST_CHECK;
/* For what DuckDB calls: without it there would be no call. */
const struct rv_duckdb_api *rv_duckdb_loaded(void);

#endif
