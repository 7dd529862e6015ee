/*
 * The chain that finds AWS credentials, and keeps them fresh (AWS SDKs and Tools Reference Guide).
 *
 * Order: environment keys (not when river's profile names an AWS profile) > the AWS profile, in
 * the order role with source, web identity, SSO, keys, credential_process > web identity of the
 * environment > container > EC2's instance metadata. The first that is configured decides: when it
 * fails, its failure is the answer, and nothing further is tried.
 *
 * Thread-safe: one thread refreshes, the others wait, or go on with what is still valid.
 */
#ifndef RV_AWS_CREDENTIALS_H
#define RV_AWS_CREDENTIALS_H

#include <jansson.h>

#include "aws/settings.h"
#include "aws/sigv4.h"
#include "base/error.h"
#include "http/http.h"

struct rv_aws_chain;
/* Both are borrowed and must outlive the chain. Nothing is read yet. */
struct rv_aws_chain *rv_aws_chain_new(const struct rv_aws_settings *settings, struct rv_http *http);
void rv_aws_chain_free(struct rv_aws_chain *chain);
void rv_aws_chain_free_p(struct rv_aws_chain **chain);

/* Credentials that are valid now (by a clock `clock_offset_ms` ahead of ours): cached, refreshed in
 * good time before they expire (5 minutes; at once when expired). A refresh that fails while the old
 * ones are still valid is not an error. RV_AUTH: none found, or the source refused, with what was
 * tried and what to do; transient when a source did not answer. */
enum rv_status rv_aws_chain_get(struct rv_aws_chain *chain, int64_t clock_offset_ms,
				struct rv_aws_credentials *ret, struct rv_error *err) RV_MUST_CHECK;
/* The service refused these, as `expired` or as nobody's: the source is asked again at once (a file is
 * read anew, a role taken anew), unless somebody did already. True: the next get gives others, or tells
 * that the source is away (for expired ones, whatever it failed by). False: it gives the same, as the
 * environment always does; it is not asked again for ten seconds. */
bool rv_aws_chain_renew(struct rv_aws_chain *chain, int64_t clock_offset_ms,
			const struct rv_aws_credentials *used, bool expired);

/* The region of the EC2 instance this runs on, for when nothing else says one; NULL: it is none, or
 * does not say. Takes a second where there is no EC2. Caller frees. */
char *rv_aws_instance_region(const struct rv_aws_settings *settings, struct rv_http *http);

/* For doctor: every source in order, as one object a source: {"source":"environment", "state":
 * "used" | "not configured" | "failed" | "not reached", "detail":"..."}. Asks the network only as
 * far as the chain itself would. One that failed may have a "hint". The caller owns the array. */
json_t *rv_aws_chain_explain(struct rv_aws_chain *chain);
/* "environment: key AKIA...MPLE", "AWS profile: profile data: role arn:..."; "none" before a get that
 * worked. Lives as long as the chain. */
const char *rv_aws_chain_source(struct rv_aws_chain *chain);

#endif
