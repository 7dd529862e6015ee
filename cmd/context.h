/*
 * What a command gets: the globals, the opened profile, the lake and the output. cmd/wire.c is the
 * only place that knows which implementation stands behind an interface.
 */
#ifndef RIVER_CONTEXT_H
#define RIVER_CONTEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/stop.h" /* rv_stop_signal */
#include "cli/command.h"
#include "cli/output.h"
#include "config/profile.h"
#include "store/store.h"

enum rv_lock_policy { RV_LOCKS_WAIT, RV_LOCKS_SKIP, RV_LOCKS_FAIL };

struct rv_aws; /* aws/client.h */
struct rv_cli_args; /* cli/parse.h */
struct rv_config; /* config/config.h */
struct rv_config_params;
struct rv_parquet;
struct rv_warehouse;
struct rv_delivery;
struct rv_resources;
struct rv_stream; /* config/stream.h */
struct rv_job; /* config/job.h */
struct rv_job_document;
struct rv_documents; /* delivery/documents.h */
struct rv_document_result;
struct rv_command_context {
	const struct rv_command *command;
	/* What the command line says about configuration; never NULL. For commands that load it
	 * themselves because a broken one is their subject. */
	const struct rv_config_params *config_params;
	struct rv_config *config;          /* NULL unless RV_NEEDS_CONFIG or PROFILE */
	const struct rv_profile *profile;  /* NULL unless RV_NEEDS_PROFILE */
	struct rv_store *lake;             /* NULL unless RV_NEEDS_LAKE */
	const struct rv_cli_args *args;    /* what stands on the command line */
	struct rv_out *out;
	enum rv_out_format output;
	bool quiet;
	bool verbose;
	enum rv_lock_policy locks;         /* --lock */
	bool locks_typed;                  /* it stands on the command line */
	int64_t timeout_ms;                /* --timeout, -1: none */
};

/* How long to wait for a lock, as rv_lock_take wants it: from --lock and --timeout. */
int64_t rv_lock_timeout_ms(const struct rv_command_context *cx);

/* What the services of AWS share; one for the process, freed by river_close. */
enum rv_status rv_wire_aws(const struct rv_profile *profile, struct rv_aws **ret,
			   struct rv_error *err) RV_MUST_CHECK;
/* Open what the profile names. */
enum rv_status rv_wire_lake(const struct rv_profile *profile, struct rv_store **ret,
			    struct rv_error *err) RV_MUST_CHECK;
enum rv_status rv_wire_delivery(const struct rv_profile *profile, struct rv_store *lake,
				struct rv_delivery **ret, struct rv_error *err) RV_MUST_CHECK;
/* Puts into the lake, whatever the profile delivers with. */
void rv_wire_direct(struct rv_store *lake, struct rv_delivery **ret);
/* A URL that puts one object of the lake, with the headers that whoever uses it must send. */
struct rv_presigned {
	char *url;
	json_t *headers;         /* {"If-None-Match": "*", ...} */
	bool session;            /* signed with temporary credentials: the URL ends with them */
	int64_t session_ends_ms; /* INT64_MAX: not known, or never */
};
void rv_presigned_release(struct rv_presigned *presigned);
/* An upload of exactly `bytes` bytes, with this CRC-32C (base64, Optional), and only where nothing
 * lies. For a lake on S3. */
enum rv_status rv_wire_presign(const struct rv_profile *profile, const char *object, uint64_t bytes,
			       const char *crc32c, int64_t expires_s, struct rv_presigned *ret,
			       struct rv_error *err) RV_MUST_CHECK;
/* From here on cx->profile and cx->lake are those of the stream's business, which may have an account and a
 * lake of its own. For commands on one stream, before they look it up; a text that is no stream's name is
 * for the lookup to refuse. */
enum rv_status rv_wire_business(struct rv_command_context *cx, const char *stream,
				struct rv_error *err) RV_MUST_CHECK;
/* For doctor: what of AWS works for a profile whose lake is on S3, and what does not, step by step.
 * Changes nothing but an object of its own that it removes. `hint` NULL or "": nothing to do. */
enum rv_explained { RV_EXPLAIN_OK, RV_EXPLAIN_WARN, RV_EXPLAIN_FAIL };
typedef void rv_explain_each(void *arg, const char *check, enum rv_explained result,
			     const char *message, const char *hint);
void rv_wire_explain(const struct rv_profile *profile, rv_explain_each *each, void *arg);
/* The same of Snowflake, for a profile whose warehouse is there, and for each business that has an account
 * or names of its own. Starts no warehouse and changes nothing. */
void rv_wire_explain_snowflake(const struct rv_profile *profile, rv_explain_each *each, void *arg);
/* Configuration, profile and lake for a command that reads first which profile they are of: 'profile', which
 * 'origin' names, counts unless --profile is given, and files are searched upwards from 'folder'. */
enum rv_status rv_wire_profile(struct rv_command_context *cx, const char *profile, const char *origin,
			       const char *folder, struct rv_error *err) RV_MUST_CHECK;
/* Where documents of a job are kept. `settled` as in delivery/documents.h. */
struct rv_document_target {
	const struct rv_job *job;
	const struct rv_job_document *document;
	double max_wcu;              /* 0: no limit */
	void (*settled)(void *arg, const struct rv_document_result *result);
	void *arg;
};
enum rv_status rv_wire_documents(const struct rv_profile *profile, const struct rv_document_target *target,
				 struct rv_documents **ret, struct rv_error *err) RV_MUST_CHECK;
/* A bucket as a store, with the account of the profile. */
enum rv_status rv_wire_bucket(const struct rv_profile *profile, const char *bucket, struct rv_store **ret,
			      struct rv_error *err) RV_MUST_CHECK;
/* Does not open the database yet. */
enum rv_status rv_wire_warehouse(const struct rv_profile *profile, struct rv_store *lake,
				 struct rv_warehouse **ret, struct rv_error *err) RV_MUST_CHECK;
/* What streams need besides objects and tables; none for a lake in a folder. Nobody is asked yet. */
enum rv_status rv_wire_resources(const struct rv_profile *profile, struct rv_resources *ret,
				 struct rv_error *err) RV_MUST_CHECK;
/* The AWS region, NULL when nothing says one; talks to nobody. Caller frees. */
enum rv_status rv_wire_region(const struct rv_profile *profile, char **ret,
			      struct rv_error *err) RV_MUST_CHECK;
/* What IAM has to allow for a stream, as --print-policy prints it; talks to nobody. `region` Optional.
 * Caller owns it. */
json_t *rv_wire_policies(const struct rv_profile *profile, const struct rv_stream *stream,
			 const char *region);
/* What writes Parquet in the profile's warehouse.memory_limit, whatever its warehouse is. */
enum rv_status rv_wire_parquet(const struct rv_profile *profile, struct rv_parquet **ret,
			       struct rv_error *err) RV_MUST_CHECK;
/* Files as tables, without profile and lake; `files` is borrowed until the warehouse is freed. */
enum rv_status rv_wire_files(const char *const *files, size_t count, struct rv_warehouse **ret,
			     struct rv_error *err) RV_MUST_CHECK;

#endif
