/*
 * What a document of a job is to the composer: its tables, its tree, its columns by number.
 *
 * Columns of `on` are not repeated in the nested objects: the object around them has the same values.
 */
#ifndef RV_FLOW_COMPOSE_JOB_H
#define RV_FLOW_COMPOSE_JOB_H

#include "config/job.h"
#include "flow/compose.h"

struct rv_compose_job {
	struct rv_compose_spec spec; /* tables have the numbers that they have in the job */
	struct rv_compose_table *tables;
	struct rv_compose_nest *nests;
};
/* Names point into the job, which has to outlive it. A job that was read has all the columns it names. */
void rv_compose_job_init(struct rv_compose_job *ret, const struct rv_job *job,
			 const struct rv_job_document *document);
void rv_compose_job_release(struct rv_compose_job *job); /* takes a zeroed one */

#endif
