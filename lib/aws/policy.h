/*
 * What IAM has to allow, no more: policies for who works with a stream, from the profile's words
 * alone, without asking anybody (`river stream create --print-policy`).
 *
 * The lists of actions are what the calls in store/s3.c, aws/s3.c, aws/firehose.c and resource/ need
 * ("Actions defined by Amazon S3" and "... by Amazon Data Firehose", Service Authorization
 * Reference). Whoever adds a call there adds its action here.
 */
#ifndef RV_AWS_POLICY_H
#define RV_AWS_POLICY_H

#include <stdbool.h>

#include <jansson.h>

struct rv_policy_params {
	const char *business, *name;      /* of the stream */
	const char *bucket, *lake_prefix; /* the prefix "" or without slashes at its ends */
	const char *region;               /* Optional: "*" is written then */
	const char *firehose;             /* the delivery stream's name; NULL: direct delivery */
	bool snowflake;                   /* reads the lake, with a role of its own */
	const char *role_arn;             /* Optional: Firehose's role; tells account and partition */
	const char *notify_arn, *notify_landing_arn; /* Optional; ARNs, or "eventbridge" */
};
/*
 * {"push": policy, "load": policy, ...}, each a whole policy document. Caller owns it.
 *   push     for producers                      create   for who runs stream create and apply
 *   load     for readers and loaders            delete   for stream delete --data
 *   landing  for river landing process      doctor   for river doctor, on top of the others
 *   firehose_role, firehose_trust               of the role Firehose writes with (with `firehose`)
 *   snowflake_role                              of the role Snowflake reads with (with `snowflake`)
 *   notify, notify_landing                      resource policies of where notifications go
 */
json_t *rv_policy_json(const struct rv_policy_params *params);

#endif
