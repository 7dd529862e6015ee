/* Turns libcurl's codes into a status, one sentence that tells the cases apart, and a next step. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "http/internal.h"

/* The proxy that libcurl would take from the environment for this URL, without looking at no_proxy:
 * only asked when libcurl spoke of a proxy. */
static const char *proxy_of(const char *url)
{
	static const char *const https[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
	static const char *const http[] = { "http_proxy", "all_proxy", "ALL_PROXY" };
	bool tls = strncasecmp(url, "https:", 6) == 0;
	const char *const *names = tls ? https : http;
	size_t count = tls ? sizeof(https) / sizeof(*https) : sizeof(http) / sizeof(*http);

	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return value;
	}
	return NULL;
}

/* "proxy.example:3128" */
static void proxy_name(struct rv_strbuf *out, const char *url)
{
	const char *proxy = proxy_of(url);

	if (!proxy) {
		rv_strbuf_puts(out, "the proxy");
		return;
	}
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;
	rv_http_origin(&origin, proxy);
	const char *host = strstr(origin.bytes, "://");
	rv_strbuf_printf(out, "proxy %s", host ? host + 3 : origin.bytes);
}

enum rv_status rv_http_proxy_refused(const char *url, long code, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf proxy = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;
	bool overloaded = code == 429 || code >= 500;

	proxy_name(&proxy, url);
	rv_http_origin(&origin, url);
	rv_fail(err, overloaded ? RV_FAILED : RV_BAD_CONFIG, "%s refused a connection to %s (%ld)",
		proxy.bytes, origin.bytes, code);
	err->transient = overloaded;
	if (code == 407)
		rv_hint(err, "give the proxy's user and password in the proxy variable "
			     "(http://user:password@host:port)");
	else
		rv_hint(err, "check the proxy variables (https_proxy, http_proxy, all_proxy), or "
			     "name the host in no_proxy");
	return err->status;
}

/* X509_verify_cert's results (openssl/x509_vfy.h). */
enum { NOT_YET_VALID = 9, HAS_EXPIRED = 10 };

/* An option names it alone. */
static const char *or_the_profile(const struct rv_http_end *end)
{
	return rv_starts_with(end->ca_variable, "--") ? "" : " or the profile";
}

static enum rv_status certificate(const struct rv_curl_api *api, CURL *easy,
				  const struct rv_http_end *end, const char *host,
				  struct rv_error *err)
{
	long verify = 0;

	api->easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	/* the name is looked at after the handshake: OpenSSL found nothing wrong then */
	if (!strstr(end->text, "SSL certificate problem")) {
		rv_fail(err, RV_BAD_CONFIG, "the certificate that %s shows is for another host: %s",
			host, end->text);
		rv_hint(err, "check the endpoint, and whether something between here and there "
			     "answers in its place");
	} else if (verify == NOT_YET_VALID || verify == HAS_EXPIRED) {
		rv_fail(err, RV_BAD_CONFIG, "the certificate of %s %s", host,
			verify == HAS_EXPIRED ? "has expired" : "is not valid yet");
		rv_hint(err, "check this machine's clock; if it is right, the server's certificate "
			     "wants renewal");
	} else {
		rv_fail(err, RV_BAD_CONFIG, "the certificate of %s is not trusted: %s", host,
			end->text);
		if (end->ca_file)
			rv_hint(err, "%s%s names %s: add the certificate of who signed it there",
				end->ca_variable, or_the_profile(end), end->ca_file);
		else
			rv_hint(err, "name a file with the certificate of who signed it (a "
				     "company's proxy, perhaps) in %s", end->ca_variable);
	}
	return err->status;
}

/* OpenSSL's words for bytes that are no TLS record. */
static bool speaks_no_tls(const char *text)
{
	static const char *const signs[] = { "wrong version number", "packet length too long",
					     "http request", "unknown protocol" };

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
		if (strcasestr(text, signs[i]))
			return true;
	return false;
}

static enum rv_status transient(struct rv_error *err)
{
	err->transient = true;
	return err->status;
}

static enum rv_status tls_failed(const struct rv_http_end *end, const char *host,
				 struct rv_error *err)
{
	if (speaks_no_tls(end->text)) {
		rv_fail(err, RV_BAD_CONFIG, "%s does not speak TLS: %s", host, end->text);
		rv_hint(err, "check the endpoint's scheme and port (http:// or https://)");
		return err->status;
	}
	rv_fail(err, RV_FAILED, "the TLS handshake with %s failed: %s", host, end->text);
	rv_hint(err, "check the endpoint, and whether a proxy or firewall is in between");
	return transient(err);
}

static bool has_happened(const struct rv_curl_api *api, CURL *easy, CURLINFO what)
{
	curl_off_t us = 0;

	return api->easy_getinfo(easy, what, &us) == CURLE_OK && us > 0;
}

static enum rv_status timed_out(const struct rv_curl_api *api, CURL *easy,
				const struct rv_http_end *end, const char *host,
				struct rv_error *err)
{
	const char *hint = "check the network, the endpoint and the proxy variables";

	if (end->sent_any) {
		rv_fail(err, RV_FAILED, "%s did not answer whole within %lld ms", host,
			(long long)end->total_timeout_ms);
		return transient(err);
	}
	if (!has_happened(api, easy, CURLINFO_NAMELOOKUP_TIME_T)) {
		rv_fail(err, RV_FAILED, "cannot resolve %s: no answer within %lld ms", host,
			(long long)end->connect_timeout_ms);
		hint = "check the network's name servers";
	} else if (!has_happened(api, easy, CURLINFO_CONNECT_TIME_T) &&
		   !strstr(end->text, "SSL")) { /* 7.88 counts TLS as part of connecting */
		rv_fail(err, RV_FAILED, "cannot connect to %s: no answer within %lld ms", host,
			(long long)end->connect_timeout_ms);
	} else {
		rv_fail(err, RV_FAILED, "%s accepted the connection, but did not end the %s within "
			"%lld ms", host, strncasecmp(end->url, "https:", 6) == 0 ? "TLS handshake" :
			"set-up", (long long)end->connect_timeout_ms);
	}
	rv_hint(err, "%s", hint);
	return transient(err);
}

static enum rv_status cannot_connect(const struct rv_http_end *end, const char *host,
				     struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf proxy = RV_STRBUF_INIT;
	char name[256];
	unsigned port;

	/* "Failed to connect to HOST port PORT ..." tells whether it was the proxy. */
	proxy_name(&proxy, end->url);
	if (sscanf(end->text, "Failed to connect to %255s port %u", name, &port) == 2) {
		RV_CLEANUP(rv_free_p) char *there = rv_asprintf("proxy %s:%u", name, port);

		if (strcmp(there, proxy.bytes) == 0) {
			rv_fail(err, RV_FAILED, "cannot connect to %s: %s", there, end->text);
			rv_hint(err, "check the proxy variables, and that the proxy runs");
			return transient(err);
		}
	}
	rv_fail(err, RV_FAILED, "cannot connect to %s: %s", host, end->text);
	rv_hint(err, "check the endpoint and the network");
	return transient(err);
}

static enum rv_status cut_off(const struct rv_http_end *end, const char *host,
			      struct rv_error *err)
{
	if (end->again)
		rv_fail(err, RV_FAILED, "%s closed the kept connection without an answer", host);
	else if (end->received == 0)
		rv_fail(err, RV_FAILED, "%s closed the connection without an answer: %s", host,
			end->text);
	else
		rv_fail(err, RV_FAILED, "the answer of %s was cut off: %s", host, end->text);
	if (!end->again && end->received == 0 && rv_starts_with(host, "http://"))
		rv_hint(err, "if that is a port for https, the endpoint must begin with https://");
	return transient(err);
}

enum rv_status rv_http_explain(const struct rv_curl_api *api, CURL *easy,
			       const struct rv_http_end *end, struct rv_error *err)
{
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf origin = RV_STRBUF_INIT;
	RV_CLEANUP(rv_strbuf_release) struct rv_strbuf proxy = RV_STRBUF_INIT;
	long connect_code = 0;

	rv_http_origin(&origin, end->url);
	const char *host = origin.bytes;
	api->easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &connect_code);
	if (!end->sent_any && connect_code >= 300)
		return rv_http_proxy_refused(end->url, connect_code, err);

	switch (end->code) {
	case CURLE_URL_MALFORMAT:
		rv_fail(err, RV_BAD_CONFIG, "%s is not a URL that can be used: %s", host, end->text);
		rv_hint(err, "check the endpoint");
		return err->status;
	case CURLE_COULDNT_RESOLVE_PROXY:
		if (strcasestr(end->text, "syntax")) {
			rv_fail(err, RV_BAD_CONFIG, "the proxy variable is no URL that can be used: %s",
				end->text);
			rv_hint(err, "write it as http://host:port");
			return err->status;
		}
		proxy_name(&proxy, end->url);
		rv_fail(err, RV_FAILED, "cannot resolve %s: %s", proxy.bytes, end->text);
		rv_hint(err, "check the proxy variables");
		return transient(err);
	case CURLE_COULDNT_RESOLVE_HOST:
		rv_fail(err, RV_FAILED, "cannot resolve %s: %s", host, end->text);
		rv_hint(err, "check the endpoint, the region and the network's name servers");
		return transient(err);
	case CURLE_COULDNT_CONNECT:
		return cannot_connect(end, host, err);
	case CURLE_PROXY:
		proxy_name(&proxy, end->url);
		rv_fail(err, RV_FAILED, "%s does not let through to %s: %s", proxy.bytes, host,
			end->text);
		rv_hint(err, "check the proxy variables");
		return transient(err);
	case CURLE_PEER_FAILED_VERIFICATION:
		return certificate(api, easy, end, host, err);
	case CURLE_SSL_CACERT_BADFILE:
		rv_fail(err, RV_BAD_CONFIG, "cannot use the certificates in %s: %s",
			end->ca_file ? end->ca_file : "the system's file", end->text);
		if (end->ca_file)
			rv_hint(err, "%s%s names this file: it must be PEM and readable",
				end->ca_variable, or_the_profile(end));
		else
			rv_hint(err, "install the package ca-certificates");
		return err->status;
	case CURLE_SSL_CONNECT_ERROR:
		return tls_failed(end, host, err);
	case CURLE_OPERATION_TIMEDOUT:
		return timed_out(api, easy, end, host, err);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		rv_fail(err, RV_FAILED, "%s answered something that is not HTTP: %s", host,
			end->text);
		rv_hint(err, "check the endpoint's scheme and port");
		return transient(err);
	case CURLE_OUT_OF_MEMORY:
		/* libcurl's word for a line of headers over its limit of 100 KiB, too. */
		rv_fail(err, RV_FAILED, "libcurl has no memory for a request to %s, or for the headers of "
			"its answer", host);
		rv_hint(err, "when memory is free, check the endpoint: its headers are nothing the service "
			     "would send");
		return transient(err);
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
		if (!end->sent_any && end->code == CURLE_RECV_ERROR) {
			rv_fail(err, RV_FAILED, "%s cut the connection off while it was set up: %s",
				host, end->text);
			return transient(err);
		}
		return cut_off(end, host, err);
	default:
		rv_fail(err, RV_FAILED, "request to %s failed: %s (libcurl %d)", host, end->text,
			(int)end->code);
		return transient(err);
	}
}
