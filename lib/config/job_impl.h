/* Shared by the files that read a job (job.c, job_table.c, job_document.c, job_history.c); nobody else includes this. */
#ifndef RV_CONFIG_JOB_IMPL_H
#define RV_CONFIG_JOB_IMPL_H

#include "config/definition_parse.h"
#include "config/job.h"

/* "orders", a name that becomes part of names of objects and tables. */
enum rv_status rv_job_check_name(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				 size_t max) RV_MUST_CHECK;
/* Whether tables can be in this schema of a warehouse. */
enum rv_status rv_job_check_schema(struct rv_def *p, const struct rv_yaml_node *node, const char *path,
				   const char *schema) RV_MUST_CHECK;
/* Index of the table `node` names. */
enum rv_status rv_job_find_table(struct rv_def *p, const struct rv_job *job,
				 const struct rv_yaml_node *node, const char *path,
				 size_t *ret) RV_MUST_CHECK;
/* Whether the table has the column `name`, which `node` says. */
enum rv_status rv_job_need_column(struct rv_def *p, const struct rv_job_table *table,
				  const struct rv_yaml_node *node, const char *path,
				  const char *name) RV_MUST_CHECK;

/* The defaults. */
void rv_job_dialect_init(struct rv_job_dialect *dialect);
/* What `node` says about a dialect that is filled already. */
enum rv_status rv_job_parse_dialect(struct rv_def *p, const struct rv_yaml_node *node,
				    const char *path, struct rv_job_dialect *dialect) RV_MUST_CHECK;
enum rv_status rv_job_parse_tables(struct rv_def *p, const struct rv_yaml_node *node,
				   const struct rv_job_dialect *dialect,
				   struct rv_job *job) RV_MUST_CHECK;
enum rv_status rv_job_parse_documents(struct rv_def *p, const struct rv_yaml_node *node,
				      struct rv_job *job) RV_MUST_CHECK;
/* Tables of documents over all extracts are kept in the warehouse, merged; after all else was read. */
enum rv_status rv_job_keep_histories(struct rv_def *p, struct rv_job *job) RV_MUST_CHECK;
enum rv_status rv_job_parse_compression(struct rv_def *p, const struct rv_yaml_node *node,
					const char *path,
					enum rv_output_compression *ret) RV_MUST_CHECK;
void rv_job_table_release(struct rv_job_table *table);
void rv_job_document_release(struct rv_job_document *document);

#endif
