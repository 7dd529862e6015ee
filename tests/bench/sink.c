/*
 * sink: a loopback server that takes what Firehose and S3 take, answers validly and forgets it, so
 * that a bench measures its clients. One thread; HTTP/1.1 with kept connections, TLS if asked for.
 *
 *	sink [-c CERT.pem -k KEY.pem] [-l] [-d]      prints its port when it is ready
 *
 * Firehose: PutRecordBatch, each record with an id of 220 characters. S3, path style: PUT with
 * conditions, in parts, GET, HEAD, DELETE, lists. POST /collect takes events, one or an array of them, and
 * answers with a pixel. Objects of up to a megabyte are kept in memory, of
 * larger ones the size alone. Signatures are not looked at. With -d data is refused (503): records, and
 * objects with /data/ in their keys.
 *
 * GET /__stats answers what came: {"records":N,"data_bytes":N,"lines":N,"requests":N,"objects":N,
 * "object_bytes":N,"connections":N}; data_bytes are those of the records, decoded, and lines are
 * counted with -l alone. GET /__reset answers the same and starts anew, objects included.
 *
 * TLS is libssl's, opened when asked for, so that building this needs no headers of it.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES (64 * 1024)
#define READ_BYTES ((size_t)256 * 1024)
#define KEPT_BYTES ((uint64_t)1 << 20)
#define PAGE_KEYS 1000

/* ---- libssl (SSL_read(3) and its kin; the numbers are those of openssl/ssl.h, version 3) ---- */
#define SSL_ERROR_WANT_READ 2
#define SSL_ERROR_WANT_WRITE 3
#define SSL_FILETYPE_PEM 1
#define SSL_CTRL_MODE 33
#define SSL_CTRL_SET_READ_AHEAD 41
#define SSL_MODE_PARTIAL_AND_MOVING 3L
#define SSL_OP_IGNORE_UNEXPECTED_EOF ((uint64_t)1 << 7)

static struct {
	const void *(*TLS_server_method)(void);
	void *(*SSL_CTX_new)(const void *);
	int (*SSL_CTX_use_certificate_chain_file)(void *, const char *);
	int (*SSL_CTX_use_PrivateKey_file)(void *, const char *, int);
	long (*SSL_CTX_ctrl)(void *, int, long, void *);
	uint64_t (*SSL_CTX_set_options)(void *, uint64_t);
	void *(*SSL_new)(void *);
	void (*SSL_free)(void *);
	int (*SSL_set_fd)(void *, int);
	void (*SSL_set_accept_state)(void *);
	int (*SSL_read)(void *, void *, int);
	int (*SSL_write)(void *, const void *, int);
	int (*SSL_get_error)(const void *, int);
	void (*ERR_clear_error)(void);
} ssl;
static void *tls;

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sink: %s: %s\n", what, why);
	exit(1);
}

static void open_tls(const char *cert, const char *key)
{
	void *lib = dlopen("libssl.so.3", RTLD_NOW | RTLD_LOCAL);

	if (!lib)
		die("libssl.so.3", dlerror());
#define GET(name)                                                             \
	do {                                                                  \
		*(void **)&ssl.name = dlsym(lib, #name);                      \
		if (!ssl.name) {                                              \
			void *crypto = dlopen("libcrypto.so.3", RTLD_NOW);    \
			*(void **)&ssl.name = crypto ? dlsym(crypto, #name) : NULL; \
		}                                                             \
		if (!ssl.name)                                                \
			die(#name, "not in libssl.so.3");                     \
	} while (0)
	GET(TLS_server_method);
	GET(SSL_CTX_new);
	GET(SSL_CTX_use_certificate_chain_file);
	GET(SSL_CTX_use_PrivateKey_file);
	GET(SSL_CTX_ctrl);
	GET(SSL_CTX_set_options);
	GET(SSL_new);
	GET(SSL_free);
	GET(SSL_set_fd);
	GET(SSL_set_accept_state);
	GET(SSL_read);
	GET(SSL_write);
	GET(SSL_get_error);
	GET(ERR_clear_error);
#undef GET
	tls = ssl.SSL_CTX_new(ssl.TLS_server_method());
	if (!tls || ssl.SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
	    ssl.SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		die(cert, "not a certificate with its key");
	ssl.SSL_CTX_ctrl(tls, SSL_CTRL_SET_READ_AHEAD, 1, NULL);
	ssl.SSL_CTX_ctrl(tls, SSL_CTRL_MODE, SSL_MODE_PARTIAL_AND_MOVING, NULL);
	ssl.SSL_CTX_set_options(tls, SSL_OP_IGNORE_UNEXPECTED_EOF);
}

/* ---- buffers ---- */
struct buf {
	char *p;
	size_t len, size;
};

static char *grow(struct buf *b, size_t more)
{
	if (b->len + more + 1 > b->size) {
		b->size = (b->len + more) * 2 + 1024;
		b->p = realloc(b->p, b->size);
		if (!b->p)
			die("buffer", "out of memory");
	}
	return b->p + b->len;
}

static void add(struct buf *b, const void *p, size_t n)
{
	memcpy(grow(b, n), p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

static void adds(struct buf *b, const char *s)
{
	add(b, s, strlen(s));
}

__attribute__((format(printf, 2, 3)))
static void addf(struct buf *b, const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		die(fmt, "too long");
	add(b, text, (size_t)n);
}

/* ---- what came ---- */
static struct {
	uint64_t records, data_bytes, lines, requests, objects, object_bytes, connections;
} seen;
static bool count_lines, down;

struct object {
	char *key;        /* bucket/key */
	uint64_t size;
	char etag[40];
	char *crc32c, *meta_crc32c; /* as they were given; NULL: not */
	char *bytes;      /* NULL: larger than what is kept */
};
static struct object **objects;
static size_t objects_count, objects_size;
static unsigned long etags;

/* Where a key is, or would be. */
static size_t place_of(const char *key, bool *found)
{
	size_t low = 0, high = objects_count;

	*found = false;
	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(objects[mid]->key, key);
		if (c == 0)
			*found = true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct object *find(const char *key)
{
	bool found;
	size_t i = place_of(key, &found);

	return found ? objects[i] : NULL;
}

static void free_object(struct object *o)
{
	free(o->key);
	free(o->crc32c);
	free(o->meta_crc32c);
	free(o->bytes);
	free(o);
}

static void remove_key(const char *key)
{
	bool found;
	size_t i = place_of(key, &found);

	if (!found)
		return;
	free_object(objects[i]);
	memmove(&objects[i], &objects[i + 1], (--objects_count - i) * sizeof(*objects));
}

static struct object *store(const char *key, const char *bytes, uint64_t size)
{
	bool found;
	struct object *o = calloc(1, sizeof(*o));

	remove_key(key);
	size_t i = place_of(key, &found);
	if (objects_count == objects_size) {
		objects_size = objects_size * 2 + 64;
		objects = realloc(objects, objects_size * sizeof(*objects));
	}
	if (!o || !objects)
		die("objects", "out of memory");
	memmove(&objects[i + 1], &objects[i], (objects_count++ - i) * sizeof(*objects));
	objects[i] = o;
	o->key = strdup(key);
	o->size = size;
	snprintf(o->etag, sizeof(o->etag), "\"%032lx\"", ++etags);
	if (bytes) {
		o->bytes = malloc(size + 1);
		if (!o->bytes)
			die("objects", "out of memory");
		memcpy(o->bytes, bytes, size);
	}
	seen.objects++;
	seen.object_bytes += size;
	return o;
}

static void forget(void)
{
	while (objects_count)
		free_object(objects[--objects_count]);
	memset(&seen, 0, sizeof(seen));
}

/* Uploads in parts: how much each has so far. */
#define UPLOADS_MAX 64
static uint64_t upload_bytes[UPLOADS_MAX];
static unsigned uploads;

/* ---- one connection ---- */
enum state { HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

struct conn {
	int fd;
	void *ssl;
	enum state state;
	struct buf head, body, out, line;
	size_t out_from;
	uint64_t left;         /* of the body, or of the chunk */
	uint64_t body_bytes;   /* taken, kept or not */
	bool keep;             /* the body */
	/* the request */
	char method[8];
	char *path;
	const char *query;     /* NULL: none */
	char *key;             /* bucket/key, decoded */
	bool bye;
};

/* The value of a header; NULL when it is not there. Heads end in an empty line. */
static const char *header(const struct conn *c, const char *name, size_t *ret_len)
{
	size_t n = strlen(name);

	for (const char *p = strstr(c->head.p, "\r\n") + 2;;) {
		const char *end = strstr(p, "\r\n");
		if (end == p)
			return NULL;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			while (*p == ' ')
				p++;
			*ret_len = (size_t)(end - p);
			return p;
		}
		p = end + 2;
	}
	return NULL;
}

static char *header_copy(const struct conn *c, const char *name)
{
	size_t len;
	const char *value = header(c, name, &len);

	return value ? strndup(value, len) : NULL;
}

static bool header_is(const struct conn *c, const char *name, const char *want)
{
	size_t len;
	const char *value = header(c, name, &len);

	return value && len == strlen(want) && strncasecmp(value, want, len) == 0;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static char *decoded(const char *p, size_t len)
{
	char *out = malloc(len + 1), *w = out;

	if (!out)
		die("request", "out of memory");
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '%' && i + 2 < len && hex(p[i + 1]) >= 0 && hex(p[i + 2]) >= 0) {
			*w++ = (char)(hex(p[i + 1]) << 4 | hex(p[i + 2]));
			i += 2;
		} else {
			*w++ = p[i];
		}
	}
	*w = '\0';
	return out;
}

/* A parameter of the query, decoded; NULL when it is not there. Caller frees. */
static char *parameter(const struct conn *c, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = c->query; p && *p;) {
		size_t len = strcspn(p, "&");
		if (len >= n && strncmp(p, name, n) == 0 && (len == n || p[n] == '='))
			return len == n ? strdup("") : decoded(p + n + 1, len - n - 1);
		p += len + (p[len] == '&');
	}
	return NULL;
}

static void answer(struct conn *c, const char *status, const char *headers, const char *body,
		   size_t len)
{
	addf(&c->out, "HTTP/1.1 %s\r\n%sx-amz-request-id: 0\r\nContent-Length: %zu\r\n%s\r\n", status,
	     headers, len, c->bye ? "Connection: close\r\n" : "");
	if (strcmp(c->method, "HEAD") != 0)
		add(&c->out, body, len);
}

static void answer_error(struct conn *c, const char *status, const char *code)
{
	char xml[512];
	int n = snprintf(xml, sizeof(xml), "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code>"
			 "<Message>%s</Message><RequestId>0</RequestId></Error>", code, code);

	answer(c, status, "Content-Type: application/xml\r\n", xml, (size_t)n);
}

static void answer_xml(struct conn *c, const struct buf *xml)
{
	answer(c, "200 OK", "Content-Type: application/xml\r\n", xml->p, xml->len);
}

static void answer_stats(struct conn *c)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "{\"records\":%llu,\"data_bytes\":%llu,\"lines\":%llu,"
			 "\"requests\":%llu,\"objects\":%llu,\"object_bytes\":%llu,\"connections\":%llu}\n",
			 (unsigned long long)seen.records, (unsigned long long)seen.data_bytes,
			 (unsigned long long)seen.lines, (unsigned long long)seen.requests,
			 (unsigned long long)seen.objects, (unsigned long long)seen.object_bytes,
			 (unsigned long long)seen.connections);

	answer(c, "200 OK", "Content-Type: application/json\r\n", text, (size_t)n);
	if (strcmp(c->path, "/__reset") == 0)
		forget();
}

/* ---- Firehose ---- */
static uint64_t lines_in(const char *base64, size_t len)
{
	static unsigned char value[256];
	uint64_t lines = 0;

	if (!value['B'])
		for (const char *p = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
				*at = p; *at; at++)
			value[(unsigned char)*at] = (unsigned char)(at - p);
	for (size_t i = 0; i + 4 <= len; i += 4) {
		const unsigned char *p = (const unsigned char *)base64 + i;
		unsigned v = (unsigned)value[p[0]] << 18 | (unsigned)value[p[1]] << 12 |
			     (unsigned)value[p[2]] << 6 | value[p[3]];
		lines += (v >> 16) == '\n';
		lines += p[2] != '=' && (v >> 8 & 255) == '\n';
		lines += p[3] != '=' && (v & 255) == '\n';
	}
	return lines;
}

/* False: not a PutRecordBatch. */
static bool take_records(const struct conn *c, uint64_t *ret_count)
{
	const char *p = c->body.p, *end = p + c->body.len;

	*ret_count = 0;
	while ((p = memmem(p, (size_t)(end - p), "\"Data\"", 6))) {
		p = memchr(p + 6, '"', (size_t)(end - p - 6));
		const char *close = p ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
		if (!close)
			return false;
		size_t len = (size_t)(close - p - 1);
		if (len % 4 || len < 4)
			return false;
		seen.data_bytes += len / 4 * 3 - (close[-1] == '=') - (close[-2] == '=');
		if (count_lines)
			seen.lines += lines_in(p + 1, len);
		++*ret_count;
		p = close + 1;
	}
	seen.records += *ret_count;
	return *ret_count > 0;
}

static void firehose(struct conn *c)
{
	static const char headers[] = "Content-Type: application/x-amz-json-1.1\r\n"
				      "x-amzn-RequestId: d5c5f4a8-0000-0000-0000-000000000000\r\n";
	static struct buf entry, text;
	uint64_t count;

	if (down) {
		static const char no[] = "{\"__type\":\"ServiceUnavailableException\"}";
		answer(c, "503 Service Unavailable", headers, no, sizeof(no) - 1);
		return;
	}
	if (!header_is(c, "X-Amz-Target", "Firehose_20150804.PutRecordBatch")) {
		static const char no[] = "{\"__type\":\"UnknownOperationException\"}";
		answer(c, "400 Bad Request", headers, no, sizeof(no) - 1);
		return;
	}
	if (!take_records(c, &count) || count > 500 || c->body.len > 6u << 20) {
		static const char no[] = "{\"__type\":\"SerializationException\"}";
		answer(c, "400 Bad Request", headers, no, sizeof(no) - 1);
		return;
	}
	if (!entry.len) {
		adds(&entry, "{\"RecordId\":\"");
		for (unsigned i = 0; i < 220; i++)
			add(&entry, &"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"[i * 7 % 38], 1);
		adds(&entry, "\"},");
	}
	text.len = 0;
	adds(&text, "{\"FailedPutCount\":0,\"Encrypted\":false,\"RequestResponses\":[");
	for (uint64_t i = 0; i < count; i++)
		add(&text, entry.p, entry.len);
	text.len--;
	adds(&text, "]}");
	answer(c, "200 OK", headers, text.p, text.len);
}

/* ---- S3 ---- */
static void add_text(struct buf *b, const char *p, size_t len, bool url)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char ch = (unsigned char)p[i];
		if (url && !strchr("/-_.~*", ch) && !((ch | 0x20) >= 'a' && (ch | 0x20) <= 'z') &&
		    !(ch >= '0' && ch <= '9'))
			addf(b, "%%%02X", ch);
		else if (!url && strchr("<>&\"", ch))
			addf(b, "&#%u;", ch);
		else
			add(b, &p[i], 1);
	}
}

static void list(struct conn *c)
{
	static struct buf xml;
	char *prefix = parameter(c, "prefix"), *delimiter = parameter(c, "delimiter");
	char *after = parameter(c, "start-after"), *token = parameter(c, "continuation-token");
	char *encoding = parameter(c, "encoding-type");
	bool url = encoding && strcmp(encoding, "url") == 0, more = false;
	size_t bucket = strlen(c->key), keys = 0, folder_len = 0;
	char whole[4096];
	const char *folder = NULL, *last = NULL;
	size_t last_len = 0;

	snprintf(whole, sizeof(whole), "%s/%s", c->key, prefix ? prefix : "");
	size_t base = strlen(whole);
	const char *from = token ? token : after ? after : "";
	xml.len = 0;
	adds(&xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>");
	add_text(&xml, c->key, bucket, false);
	adds(&xml, "</Name><Prefix>");
	add_text(&xml, whole + bucket + 1, base - bucket - 1, url);
	adds(&xml, "</Prefix>");
	if (delimiter)
		adds(&xml, "<Delimiter>/</Delimiter>");
	if (url)
		adds(&xml, "<EncodingType>url</EncodingType>");
	bool found;
	for (size_t i = place_of(whole, &found); i < objects_count; i++) {
		const struct object *o = objects[i];
		const char *key = o->key + bucket + 1;
		if (strncmp(o->key, whole, base) != 0)
			break;
		const char *slash = delimiter ? strchr(o->key + base, '/') : NULL;
		size_t len = slash ? (size_t)(slash + 1 - key) : strlen(key);
		if (*from && (strcmp(key, from) <= 0 || (slash && strncmp(key, from, len) == 0)))
			continue;
		if (slash && folder && folder_len == len && strncmp(folder, key, len) == 0)
			continue;
		if (keys == PAGE_KEYS) {
			more = true;
			break;
		}
		keys++;
		last = key;
		last_len = len;
		if (slash) {
			folder = key;
			folder_len = len;
			adds(&xml, "<CommonPrefixes><Prefix>");
			add_text(&xml, key, len, url);
			adds(&xml, "</Prefix></CommonPrefixes>");
			continue;
		}
		adds(&xml, "<Contents><Key>");
		add_text(&xml, key, len, url);
		addf(&xml, "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;%.*s&quot;"
		     "</ETag><Size>%llu</Size><StorageClass>STANDARD</StorageClass></Contents>",
		     (int)strlen(o->etag) - 2, o->etag + 1, (unsigned long long)o->size);
	}
	addf(&xml, "<KeyCount>%zu</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%s</IsTruncated>", keys,
	     PAGE_KEYS, more ? "true" : "false");
	if (more) {
		adds(&xml, "<NextContinuationToken>");
		add_text(&xml, last, last_len, false);
		adds(&xml, "</NextContinuationToken>");
	}
	adds(&xml, "</ListBucketResult>");
	answer_xml(c, &xml);
	free(prefix);
	free(delimiter);
	free(after);
	free(token);
	free(encoding);
}

static void put(struct conn *c)
{
	static struct buf headers;
	size_t len;
	const char *value;
	struct object *there = find(c->key);
	uint64_t size = c->body_bytes;
	char *upload = parameter(c, "uploadId"), *crc = header_copy(c, "x-amz-checksum-crc32c");

	/* framed by the client once more, with its length told apart */
	if ((value = header(c, "x-amz-decoded-content-length", &len)))
		size = strtoull(value, NULL, 10);
	if ((there && header_is(c, "If-None-Match", "*")) ||
	    (header(c, "If-Match", &len) && (!there || !header_is(c, "If-Match", there->etag)))) {
		answer_error(c, "412 Precondition Failed", "PreconditionFailed");
	} else {
		headers.len = 0;
		if (upload) {
			upload_bytes[strtoul(upload, NULL, 10) % UPLOADS_MAX] += size;
			addf(&headers, "ETag: \"%032lx\"\r\n", ++etags);
		} else {
			bool whole = c->keep && size == c->body_bytes;
			struct object *o = store(c->key, whole ? c->body.p : NULL, size);
			o->crc32c = crc ? strdup(crc) : NULL;
			o->meta_crc32c = header_copy(c, "x-amz-meta-crc32c");
			addf(&headers, "ETag: %s\r\n", o->etag);
		}
		if (crc)
			addf(&headers, "x-amz-checksum-crc32c: %s\r\n", crc);
		answer(c, "200 OK", headers.p, "", 0);
	}
	free(crc);
	free(upload);
}

static void post(struct conn *c)
{
	static struct buf xml;
	char *begins = parameter(c, "uploads"), *upload = parameter(c, "uploadId");

	xml.len = 0;
	if (begins) {
		upload_bytes[++uploads % UPLOADS_MAX] = 0;
		adds(&xml, "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>");
		add_text(&xml, strchr(c->key, '/') + 1, strlen(strchr(c->key, '/') + 1), false);
		addf(&xml, "</Key><UploadId>%u</UploadId></InitiateMultipartUploadResult>", uploads);
		answer_xml(c, &xml);
	} else if (upload) {
		struct object *o =
			store(c->key, NULL, upload_bytes[strtoul(upload, NULL, 10) % UPLOADS_MAX]);
		addf(&xml, "<CompleteMultipartUploadResult><Location>l</Location><Bucket>b</Bucket><Key>k</Key>"
		     "<ETag>%s</ETag></CompleteMultipartUploadResult>", o->etag);
		answer_xml(c, &xml);
	} else {
		answer_error(c, "501 Not Implemented", "NotImplemented");
	}
	free(begins);
	free(upload);
}

static void get(struct conn *c)
{
	static struct buf headers;
	const struct object *o = find(c->key);

	if (!o) {
		answer_error(c, "404 Not Found", "NoSuchKey");
		return;
	}
	if (!o->bytes && strcmp(c->method, "HEAD") != 0) {
		answer_error(c, "501 Not Implemented", "NotImplemented");
		return;
	}
	headers.len = 0;
	addf(&headers, "ETag: %s\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n", o->etag);
	if (o->crc32c)
		addf(&headers, "x-amz-checksum-crc32c: %s\r\n", o->crc32c);
	if (o->meta_crc32c)
		addf(&headers, "x-amz-meta-crc32c: %s\r\n", o->meta_crc32c);
	answer(c, "200 OK", headers.p, o->bytes, o->size);
}

static void s3(struct conn *c)
{
	bool is_bucket = !strchr(c->key, '/');
	char *uploads_of = parameter(c, "uploads");
	static struct buf xml;

	if (down && strcmp(c->method, "PUT") == 0 && strstr(c->key, "/data/")) {
		answer_error(c, "503 Service Unavailable", "ServiceUnavailable");
	} else if (strcmp(c->method, "PUT") == 0 && !is_bucket) {
		put(c);
	} else if (strcmp(c->method, "POST") == 0 && !is_bucket) {
		post(c);
	} else if (strcmp(c->method, "DELETE") == 0 && !is_bucket) {
		remove_key(c->key);
		addf(&c->out, "HTTP/1.1 204 No Content\r\nx-amz-request-id: 0\r\n\r\n");
	} else if (strcmp(c->method, "GET") == 0 && is_bucket && uploads_of) {
		xml.len = 0;
		adds(&xml, "<ListMultipartUploadsResult><Bucket>b</Bucket><IsTruncated>false</IsTruncated>"
			   "</ListMultipartUploadsResult>");
		answer_xml(c, &xml);
	} else if (strcmp(c->method, "GET") == 0 && is_bucket) {
		list(c);
	} else if (strcmp(c->method, "HEAD") == 0 && is_bucket) {
		answer(c, "200 OK", "", "", 0);
	} else if (strcmp(c->method, "GET") == 0 || strcmp(c->method, "HEAD") == 0) {
		get(c);
	} else {
		answer_error(c, "501 Not Implemented", "NotImplemented");
	}
	free(uploads_of);
}

/* ---- HTTP ---- */
/* Events of `river pump`: an object, or an array of them, counted by the key that each has once. */
static void collect(struct conn *c)
{
	static const char pixel[] = "GIF89a-which-is-42-bytes-long-as-a-pixel-is";

	seen.data_bytes += c->body_bytes;
	if (!count_lines || !c->body.len || *c->body.p != '[') {
		seen.records++;
	} else {
		const char *p = c->body.p, *end = p + c->body.len;

		while ((p = memmem(p, (size_t)(end - p), "\"cid\":", 6))) {
			seen.records++;
			p++;
		}
	}
	answer(c, "200 OK", "Content-Type: image/gif\r\nAccess-Control-Allow-Origin: *\r\n", pixel, 42);
}

static void finish(struct conn *c)
{
	bool about_itself = strncmp(c->path, "/__", 3) == 0;

	seen.requests += !about_itself;
	if (about_itself)
		answer_stats(c);
	else if (strcmp(c->path, "/") == 0)
		firehose(c);
	else if (strcmp(c->path, "/collect") == 0)
		collect(c);
	else
		s3(c);
	free(c->path);
	free(c->key);
	c->path = c->key = NULL;
	c->state = HEAD;
	c->head.len = c->body.len = 0;
	c->body_bytes = 0;
}

/* The head is whole, with the empty line that ends it. */
static bool begin(struct conn *c)
{
	size_t line = strcspn(c->head.p, "\r\n"), len;
	char *path = memchr(c->head.p, ' ', line);
	char *end = path ? memchr(path + 1, ' ', line - (size_t)(path + 1 - c->head.p)) : NULL;

	if (!end || path[1] != '/' || (size_t)(path - c->head.p) >= sizeof(c->method))
		return false;
	memcpy(c->method, c->head.p, (size_t)(path - c->head.p));
	c->method[path - c->head.p] = '\0';
	c->path = strndup(path + 1, (size_t)(end - path - 1));
	char *query = strchr(c->path, '?');
	c->query = query ? query + 1 : NULL;
	if (query)
		*query = '\0';
	c->key = decoded(c->path + 1, strlen(c->path + 1));
	len = strlen(c->key);
	if (!strchr(c->key, '/') || strchr(c->key, '/') == c->key + len - 1)
		c->key[strcspn(c->key, "/")] = '\0'; /* a bucket */
	c->bye = header_is(c, "Connection", "close");
	if (header_is(c, "Expect", "100-continue"))
		adds(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	const char *value = header(c, "Content-Length", &len);
	c->left = value ? strtoull(value, NULL, 10) : 0;
	c->keep = strcmp(c->path, "/") == 0 || c->left <= KEPT_BYTES;
	if (header_is(c, "Transfer-Encoding", "chunked"))
		c->state = CHUNK_SIZE;
	else if (c->left)
		c->state = BODY;
	else
		finish(c);
	return true;
}

/* A line of chunked coding; false: not yet whole. */
static bool take_line(struct conn *c, const char **p, const char *end)
{
	const char *newline = memchr(*p, '\n', (size_t)(end - *p));
	size_t n = newline ? (size_t)(newline + 1 - *p) : (size_t)(end - *p);

	add(&c->line, *p, n);
	*p += n;
	return newline != NULL;
}

static bool feed(struct conn *c, const char *p, size_t n)
{
	const char *end = p + n;

	while (p < end) {
		if (c->state == HEAD) {
			size_t before = c->head.len, from = before > 3 ? before - 3 : 0;
			add(&c->head, p, (size_t)(end - p));
			char *stop = memmem(c->head.p + from, c->head.len - from, "\r\n\r\n", 4);
			if (!stop)
				return c->head.len <= HEAD_BYTES;
			c->head.len = (size_t)(stop + 4 - c->head.p);
			c->head.p[c->head.len] = '\0';
			p += c->head.len - before;
			if (!begin(c))
				return false;
		} else if (c->state == BODY || c->state == CHUNK) {
			size_t take = (uint64_t)(end - p) < c->left ? (size_t)(end - p) : (size_t)c->left;
			if (c->keep && c->body.len + take <= 8u << 20)
				add(&c->body, p, take);
			c->body_bytes += take;
			p += take;
			c->left -= take;
			if (!c->left && c->state == BODY)
				finish(c);
			else if (!c->left)
				c->state = CHUNK_END;
		} else if (take_line(c, &p, end)) {
			bool empty = c->line.len <= 2;
			if (c->state == CHUNK_END) {
				c->state = CHUNK_SIZE;
			} else if (c->state == CHUNK_SIZE) {
				c->left = strtoull(c->line.p, NULL, 16);
				c->keep = false;
				c->state = c->left ? CHUNK : TRAILER;
			} else if (empty) {
				finish(c);
			}
			c->line.len = 0;
		}
	}
	return true;
}

/* False: the connection is of no use any more. */
static bool flush(struct conn *c)
{
	while (c->out_from < c->out.len) {
		const char *p = c->out.p + c->out_from;
		size_t left = c->out.len - c->out_from;
		ssize_t n;
		if (c->ssl) {
			int r = ssl.SSL_write(c->ssl, p, left > 1 << 30 ? 1 << 30 : (int)left);
			int e = r > 0 ? 0 : ssl.SSL_get_error(c->ssl, r);
			if (r <= 0)
				return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
			n = r;
		} else {
			n = send(c->fd, p, left, MSG_NOSIGNAL);
			if (n < 0)
				return errno == EAGAIN;
		}
		c->out_from += (size_t)n;
	}
	c->out.len = c->out_from = 0;
	return !c->bye || c->state != HEAD;
}

/* Whatever has come: false ends the connection. */
static bool serve(struct conn *c, char *room)
{
	if (c->out.len && !flush(c))
		return false;
	for (;;) {
		ssize_t n;
		if (c->ssl) {
			n = ssl.SSL_read(c->ssl, room, (int)READ_BYTES);
			if (n <= 0) {
				int e = ssl.SSL_get_error(c->ssl, (int)n);
				ssl.ERR_clear_error();
				return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
			}
		} else {
			n = recv(c->fd, room, READ_BYTES, 0);
			if (n <= 0)
				return n < 0 && errno == EAGAIN;
		}
		if (!feed(c, room, (size_t)n) || (c->out.len && !flush(c)))
			return false;
	}
}

static void drop(struct conn *c)
{
	if (c->ssl)
		ssl.SSL_free(c->ssl);
	close(c->fd);
	free(c->head.p);
	free(c->body.p);
	free(c->out.p);
	free(c->line.p);
	free(c->path);
	free(c->key);
	free(c);
}

static void welcome(int epoll, int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = calloc(1, sizeof(*c));
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP,
			.data.ptr = c,
		};
		if (!c)
			die("connection", "out of memory");
		c->fd = fd;
		if (tls) {
			c->ssl = ssl.SSL_new(tls);
			ssl.SSL_set_fd(c->ssl, fd);
			ssl.SSL_set_accept_state(c->ssl);
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		seen.connections++;
		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

int main(int argc, char **argv)
{
	const char *cert = NULL, *key = NULL;
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t len = sizeof(address);
	char *room = malloc(READ_BYTES);
	int option;

	while ((option = getopt(argc, argv, "c:k:ld")) != -1) {
		if (option == 'c')
			cert = optarg;
		else if (option == 'k')
			key = optarg;
		else if (option == 'l')
			count_lines = true;
		else if (option == 'd')
			down = true;
		else
			return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (cert && key)
		open_tls(cert, key);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (!room || epoll < 0 || listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(listener, 128) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		die("listen", strerror(errno));
	struct epoll_event events[64], event = { .events = EPOLLIN };
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll, events, 64, -1);
		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;
			if (!c)
				welcome(epoll, listener);
			else if (!serve(c, room))
				drop(c);
		}
	}
}
