/* Names of things in AWS, and which of AWS's separate worlds (partitions) they are in. */
#include "format/arn.h"

#include <ctype.h>

bool rv_arn_parse(const char *text, struct rv_arn *ret)
{
	struct rv_arn arn;
	struct rv_str *const parts[] = { &arn.partition, &arn.service, &arn.region, &arn.account };
	if (!rv_starts_with(text, "arn:"))
		return false;
	const char *p = text + strlen("arn:");
	for (size_t i = 0; i < 4; i++) {
		size_t len = strcspn(p, ":");
		if (p[len] != ':')
			return false;
		*parts[i] = (struct rv_str){ p, len };
		for (size_t j = 0; j < len; j++)
			if (!islower((unsigned char)p[j]) && !isdigit((unsigned char)p[j]) &&
			    p[j] != '-')
				return false;
		p += len + 1;
	}
	arn.resource = rv_str_of(p);
	for (; *p; p++)
		if (!isgraph((unsigned char)*p) || *p == '"' || *p == '<' || *p == '&')
			return false;
	if (!arn.partition.len || !arn.service.len || !arn.resource.len)
		return false;
	*ret = arn;
	return true;
}

bool rv_arn_is(const char *text, const char *service, const char *resource)
{
	struct rv_arn arn;
	if (!rv_arn_parse(text, &arn) || !rv_str_is(arn.service, service) || arn.account.len != 12 ||
	    arn.resource.len <= strlen(resource) || !rv_starts_with(arn.resource.p, resource))
		return false;
	for (size_t i = 0; i < arn.account.len; i++)
		if (!isdigit((unsigned char)arn.account.p[i]))
			return false;
	return true;
}

const char *rv_arn_partition(const char *region)
{
	static const char *const partitions[][2] = {
		{ "cn-", "aws-cn" },	   { "us-gov-", "aws-us-gov" }, { "us-isob-", "aws-iso-b" },
		{ "us-isof-", "aws-iso-f" }, { "us-iso-", "aws-iso" },	 { "eu-isoe-", "aws-iso-e" },
		{ "eusc-", "aws-eusc" },
	};
	for (size_t i = 0; i < sizeof(partitions) / sizeof(partitions[0]); i++)
		if (rv_starts_with(region, partitions[i][0]))
			return partitions[i][1];
	return "aws";
}
