/*
 * Where a service answers. Order and names: "Service-specific endpoints" of the AWS SDKs and Tools
 * Reference Guide; hosts: the endpoint rules that AWS publishes with its SDKs.
 */
#include "aws/settings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/strbuf.h"
#include "format/url.h"

/* The longer prefix first where one begins with another. */
static const struct partition {
	const char *region_prefix, *suffix, *dual_stack_suffix;
} partitions[] = {
	{ "cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn" },
	{ "eusc-", "amazonaws.eu", "api.amazonwebservices.eu" },
	{ "us-isob-", "sc2s.sgov.gov", "api.aws.scloud" },
	{ "us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov" },
	{ "us-iso-", "c2s.ic.gov", "api.aws.ic.gov" },
	{ "eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk" },
	{ "", "amazonaws.com", "api.aws" },
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *p = partitions;
	while (!rv_starts_with(region, p->region_prefix))
		p++;
	return p;
}

/* The first label, or labels, of the host: what the service calls itself there. */
static const char *host_name(const char *service)
{
	return strcmp(service, "sso") == 0	  ? "portal.sso"
	       : strcmp(service, "sso-oidc") == 0 ? "oidc"
						  : service;
}

static bool is_for_credentials(const char *service)
{
	return strcmp(service, "sts") == 0 || strcmp(service, "sso") == 0 ||
	       strcmp(service, "sso-oidc") == 0;
}

static char *default_endpoint(const struct rv_aws_settings *settings, const char *service,
			      const char *region)
{
	const struct partition *partition = partition_of(region);
	const char *name = host_name(service);
	bool fips = settings->use_fips, dual = settings->use_dualstack;
	if (strcmp(service, "s3") == 0)
		return rv_asprintf("https://s3%s%s.%s.%s", fips ? "-fips" : "",
				   dual ? ".dualstack" : "", region, partition->suffix);
	/* GovCloud's plain endpoints of these are FIPS ones. */
	if (fips && !dual && rv_starts_with(region, "us-gov-") && strcmp(service, "firehose") != 0)
		fips = false;
	return rv_asprintf("https://%s%s.%s.%s", name, fips ? "-fips" : "", region,
			   dual ? partition->dual_stack_suffix : partition->suffix);
}

/* "sso-oidc" is AWS_ENDPOINT_URL_SSO_OIDC and sso_oidc: */
static void service_id(const char *service, bool upper, char *ret, size_t size)
{
	size_t i = 0;
	for (; service[i] && i + 1 < size; i++) {
		char c = service[i];
		ret[i] = c == '-' || c == ' ' ? '_' : upper ? (char)toupper((unsigned char)c) : c;
	}
	ret[i] = '\0';
}

static const char *configured_endpoint(const struct rv_aws_settings *settings, const char *service,
				       const char **ret_origin)
{
	char id[64], variable[96];
	const char *value;
	if (settings->explicit_endpoint_url && !is_for_credentials(service)) {
		*ret_origin = "endpoint_url of river's profile";
		return settings->explicit_endpoint_url;
	}
	if (settings->ignore_endpoints)
		return NULL;
	service_id(service, true, id, sizeof(id));
	snprintf(variable, sizeof(variable), "AWS_ENDPOINT_URL_%s", id);
	if ((value = rv_aws_env(variable))) {
		*ret_origin = "AWS_ENDPOINT_URL_<SERVICE>";
		return value;
	}
	if ((value = rv_aws_env("AWS_ENDPOINT_URL"))) {
		*ret_origin = "AWS_ENDPOINT_URL";
		return value;
	}
	const char *services = rv_aws_setting(settings, settings->profile, "services");
	if (services) {
		RV_CLEANUP(rv_free_p) char *section = rv_asprintf("services %s", services);
		service_id(service, false, id, sizeof(id));
		value = rv_ini_get(settings->config, section, id, "endpoint_url");
		if (value && *value) {
			*ret_origin = "[services] of the AWS profile";
			return value;
		}
	}
	value = rv_aws_setting(settings, settings->profile, "endpoint_url");
	if (value)
		*ret_origin = "endpoint_url of the AWS profile";
	return value;
}

enum rv_status rv_aws_endpoint(const struct rv_aws_settings *settings, const char *service,
			       const char *region, char **ret, bool *ret_custom,
			       const char **ret_origin, struct rv_error *err)
{
	const char *origin = NULL;
	const char *url = configured_endpoint(settings, service, &origin);
	if (ret_custom)
		*ret_custom = url != NULL;
	if (ret_origin)
		*ret_origin = origin;
	if (!url) {
		if (!rv_aws_region_valid(region))
			return rv_fail(err, RV_BAD_CONFIG, "'%s' cannot be an AWS region", region);
		*ret = default_endpoint(settings, service, region);
		return RV_OK;
	}
	if (!rv_url_is_endpoint(url)) {
		/* Not quoted: it may hold a password. */
		rv_fail(err, RV_BAD_CONFIG, "the endpoint of %s (%s) is no URL of a host", service,
			origin);
		rv_hint(err, "write it as https://host, https://host:port or https://host/path");
		return err->status;
	}
	size_t len = strlen(url);
	while (len > 0 && url[len - 1] == '/')
		len--;
	*ret = rv_strndup(url, len);
	return RV_OK;
}
