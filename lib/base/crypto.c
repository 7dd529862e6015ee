/*
 * OpenSSL 3's EVP interface with prototypes of its own, so that nothing is linked. The algorithms are
 * fetched once: EVP_sha256() would be looked up anew for each digest, which takes longer than
 * hashing a request does. HMAC() looks up as well, so the two digests it is made of are done here
 * (RFC 2104).
 */
#include "base/crypto.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

#define LIBRARY "libcrypto.so.3"
#define BLOCK_BYTES 64 /* SHA-256's */
#define SHA1_BYTES 20

struct evp_md;
struct evp_md_ctx;
struct evp_pkey;
struct bio;
static struct {
	struct evp_md *(*md_fetch)(void *context, const char *algorithm, const char *properties);
	int (*digest)(const void *p, size_t len, unsigned char *ret, unsigned *ret_len,
		      const struct evp_md *md, void *engine);
	struct evp_md_ctx *(*ctx_new)(void);
	void (*ctx_free)(struct evp_md_ctx *ctx);
	int (*init)(struct evp_md_ctx *ctx, const struct evp_md *md, void *engine);
	int (*update)(struct evp_md_ctx *ctx, const void *p, size_t len);
	int (*final)(struct evp_md_ctx *ctx, unsigned char *ret, unsigned *ret_len);
	struct bio *(*bio_new_mem_buf)(const void *p, int len);
	int (*bio_free)(struct bio *bio);
	struct evp_pkey *(*pem_read)(struct bio *bio, struct evp_pkey **reused,
				     int (*passphrase)(char *ret, int size, int writing, void *arg),
				     void *arg);
	void (*pkey_free)(struct evp_pkey *key);
	int (*pkey_type)(const struct evp_pkey *key);
	int (*pkey_bits)(const struct evp_pkey *key);
	int (*public_der)(const struct evp_pkey *key, unsigned char **ret);
	int (*sign_init)(struct evp_md_ctx *ctx, void **pkey_ctx, const struct evp_md *md,
			 void *engine, struct evp_pkey *key);
	int (*sign)(struct evp_md_ctx *ctx, unsigned char *ret, size_t *ret_len,
		    const unsigned char *p, size_t len);
	unsigned long (*first_error)(void);
	void (*clear_errors)(void);
	const char *(*error_reason)(unsigned long code);
	struct evp_md *sha256, *sha1;
	char reason[256]; /* why it could not be opened, "" otherwise */
} api;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void open_library(void)
{
	static const struct {
		const char *name;
		void *slot;
	} functions[] = {
		{ "EVP_MD_fetch", &api.md_fetch },     { "EVP_Digest", &api.digest },
		{ "EVP_MD_CTX_new", &api.ctx_new },    { "EVP_MD_CTX_free", &api.ctx_free },
		{ "EVP_DigestInit_ex", &api.init },    { "EVP_DigestUpdate", &api.update },
		{ "EVP_DigestFinal_ex", &api.final },
		{ "BIO_new_mem_buf", &api.bio_new_mem_buf },
		{ "BIO_free", &api.bio_free },
		{ "PEM_read_bio_PrivateKey", &api.pem_read },
		{ "EVP_PKEY_free", &api.pkey_free },
		{ "EVP_PKEY_get_base_id", &api.pkey_type },
		{ "EVP_PKEY_get_bits", &api.pkey_bits },
		{ "i2d_PUBKEY", &api.public_der },
		{ "EVP_DigestSignInit", &api.sign_init },
		{ "EVP_DigestSign", &api.sign },
		{ "ERR_peek_error", &api.first_error },
		{ "ERR_clear_error", &api.clear_errors },
		{ "ERR_reason_error_string", &api.error_reason },
	};
	/* It stays open until the process ends: its clean-up at exit may still be called. */
	void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (!handle) {
		const char *why = dlerror();
		strncpy(api.reason, why ? why : "unknown", sizeof(api.reason) - 1);
		return;
	}
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		void *symbol = dlsym(handle, functions[i].name);
		if (!symbol) {
			strncpy(api.reason, functions[i].name, sizeof(api.reason) - 1);
			return;
		}
		/* POSIX wants function pointers to fit into void *; ISO C has no cast for it. */
		memcpy(functions[i].slot, &symbol, sizeof(symbol));
	}
	api.sha256 = api.md_fetch(NULL, "SHA256", NULL);
	api.sha1 = api.md_fetch(NULL, "SHA1", NULL);
	if (!api.sha256 || !api.sha1)
		strncpy(api.reason, "it has no SHA-256 or no SHA-1", sizeof(api.reason) - 1);
}

static enum rv_status need_library(struct rv_error *err)
{
	pthread_once(&opened, open_library);
	if (!api.reason[0])
		return RV_OK;
	rv_fail(err, RV_NOT_FOUND, "cannot use " LIBRARY ": %s", api.reason);
	rv_hint(err, "install OpenSSL 3 (Debian: apt install libssl3)");
	return err->status;
}

/* The library is there and the lengths are sane: what is left to fail is its memory. */
static void digest(const struct evp_md *md, const void *p, size_t len, uint8_t *ret)
{
	if (!api.digest(len ? p : "", len, ret, NULL, md, NULL))
		rv_out_of_memory(0);
}

void rv_hex(const uint8_t *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < len; i++) {
		ret[2 * i] = digits[p[i] >> 4];
		ret[2 * i + 1] = digits[p[i] & 15];
	}
	ret[2 * len] = '\0';
}

enum rv_status rv_sha256(const void *p, size_t len, uint8_t ret[RV_SHA256_BYTES],
			 struct rv_error *err)
{
	enum rv_status status = need_library(err);
	if (status == RV_OK)
		digest(api.sha256, p, len, ret);
	return status;
}

enum rv_status rv_sha256_hex(const void *p, size_t len, char ret[RV_SHA256_HEX],
			     struct rv_error *err)
{
	uint8_t md[RV_SHA256_BYTES];
	enum rv_status status = rv_sha256(p, len, md, err);
	if (status == RV_OK)
		rv_hex(md, sizeof(md), ret);
	return status;
}

static void free_ctx_p(struct evp_md_ctx **ctx)
{
	if (*ctx)
		api.ctx_free(*ctx);
}

enum rv_status rv_sha256_fd_hex(int fd, uint64_t offset, uint64_t len, char ret[RV_SHA256_HEX],
				struct rv_error *err)
{
	enum rv_status status = need_library(err);
	if (status != RV_OK)
		return status;
	const size_t piece = 256 * 1024;
	RV_CLEANUP(rv_free_p) char *buffer = rv_malloc(piece);
	RV_CLEANUP(free_ctx_p) struct evp_md_ctx *ctx = api.ctx_new();
	if (!ctx || !api.init(ctx, api.sha256, NULL))
		rv_out_of_memory(0);
	while (len > 0) {
		size_t wanted = len < piece ? (size_t)len : piece, n;
		status = rv_pread_full(fd, buffer, wanted, offset, &n, "data to sign", err);
		if (status != RV_OK)
			return status;
		if (n < wanted)
			return rv_fail(err, RV_LOCAL_IO,
				       "data to sign ends at byte %ju, %ju bytes early",
				       (uintmax_t)(offset + n), (uintmax_t)(len - n));
		if (!api.update(ctx, buffer, n))
			rv_out_of_memory(0);
		offset += n;
		len -= n;
	}
	uint8_t md[RV_SHA256_BYTES];
	if (!api.final(ctx, md, NULL))
		rv_out_of_memory(0);
	rv_hex(md, sizeof(md), ret);
	return RV_OK;
}

enum rv_status rv_hmac_sha256(const void *key, size_t key_len, const void *p, size_t len,
			      uint8_t ret[RV_SHA256_BYTES], struct rv_error *err)
{
	enum rv_status status = need_library(err);
	if (status != RV_OK)
		return status;
	uint8_t block[BLOCK_BYTES] = { 0 }, outer[BLOCK_BYTES + RV_SHA256_BYTES];
	uint8_t small[BLOCK_BYTES + 448];
	uint8_t *inner = len <= sizeof(small) - BLOCK_BYTES ? small : rv_malloc(BLOCK_BYTES + len);
	if (key_len > BLOCK_BYTES)
		digest(api.sha256, key, key_len, block);
	else if (key_len > 0)
		memcpy(block, key, key_len);
	for (size_t i = 0; i < BLOCK_BYTES; i++) {
		inner[i] = block[i] ^ 0x36;
		outer[i] = block[i] ^ 0x5c;
	}
	if (len > 0)
		memcpy(inner + BLOCK_BYTES, p, len);
	digest(api.sha256, inner, BLOCK_BYTES + len, outer + BLOCK_BYTES);
	digest(api.sha256, outer, sizeof(outer), ret);
	explicit_bzero(block, sizeof(block));
	explicit_bzero(outer, sizeof(outer));
	explicit_bzero(inner, BLOCK_BYTES + len);
	if (inner != small)
		rv_free_p(&inner);
	return RV_OK;
}

enum rv_status rv_sha1_hex(const void *p, size_t len, char ret[RV_SHA1_HEX], struct rv_error *err)
{
	enum rv_status status = need_library(err);
	if (status != RV_OK)
		return status;
	uint8_t md[SHA1_BYTES];
	digest(api.sha1, p, len, md);
	rv_hex(md, sizeof(md), ret);
	return RV_OK;
}

/* ---- RSA keys --------------------------------------------------------------------------------- */

#define EVP_PKEY_RSA 6 /* openssl/obj_mac.h: NID_rsaEncryption */
#define SHORTEST_KEY_BITS 2048
#define LONGEST_KEY_BITS 16384
#define PEM_MAX_BYTES (64 * 1024)

struct rv_rsa_key {
	struct evp_pkey *key;
	size_t bits;
};

struct passphrase {
	const char *text; /* NULL: there is none */
	bool asked;
};

static int give_passphrase(char *ret, int size, int writing RV_UNUSED, void *arg)
{
	struct passphrase *passphrase = arg;
	passphrase->asked = true;
	size_t len = passphrase->text ? strlen(passphrase->text) : 0;
	if (len == 0 || len > (size_t)size)
		return -1;
	memcpy(ret, passphrase->text, len);
	return (int)len;
}

static enum rv_status explain_key(const struct passphrase *passphrase, const char *pem, size_t len,
				  struct rv_error *err)
{
	unsigned long code = api.first_error();
	const char *reason = code ? api.error_reason(code) : NULL;
	/* Wrong passphrases are told apart from what OpenSSL 3 no longer reads by its words. */
	bool is_unsupported = reason && (strstr(reason, "unsupported") || strstr(reason, "unknown"));
	if (passphrase->asked && !passphrase->text) {
		rv_fail(err, RV_AUTH, "the private key is encrypted, and there is no passphrase for it");
		rv_hint(err, "set PRIVATE_KEY_PASSPHRASE");
	} else if (passphrase->asked && is_unsupported) {
		rv_fail(err, RV_AUTH, "the private key is encrypted by a method that OpenSSL 3 no "
				      "longer reads (%s)", reason);
		rv_hint(err, "encrypt it anew: openssl pkcs8 -provider legacy -provider default -in OLD "
			     "-topk8 -v2 aes-256-cbc -out NEW");
	} else if (passphrase->asked) {
		rv_fail(err, RV_AUTH, "the passphrase does not open the private key");
		rv_hint(err, "check PRIVATE_KEY_PASSPHRASE");
	} else if (len > 0 && memmem(pem, len, "PUBLIC KEY-----", 15)) {
		rv_fail(err, RV_AUTH, "this is a public key: the private one is needed to sign");
		rv_hint(err, "name the file that 'openssl genrsa' or 'openssl pkcs8' wrote");
	} else {
		rv_fail(err, RV_AUTH, "this is no private key in PEM%s%s", reason ? ": " : "",
			reason ? reason : "");
		rv_hint(err, "a key begins with -----BEGIN PRIVATE KEY-----, -----BEGIN ENCRYPTED "
			     "PRIVATE KEY----- or -----BEGIN RSA PRIVATE KEY-----");
	}
	api.clear_errors();
	return err->status;
}

enum rv_status rv_rsa_key_read(const char *pem, size_t len, const char *passphrase_text,
			       struct rv_rsa_key **ret, struct rv_error *err)
{
	struct passphrase passphrase = { .text = passphrase_text };
	enum rv_status status = need_library(err);
	if (status != RV_OK)
		return status;
	if (len > PEM_MAX_BYTES)
		return rv_fail(err, RV_AUTH, "%zu bytes are too many for a private key", len);
	struct bio *bio = api.bio_new_mem_buf(len ? pem : "", (int)len);
	if (!bio)
		rv_out_of_memory(0);
	api.clear_errors();
	struct evp_pkey *key = api.pem_read(bio, NULL, give_passphrase, &passphrase);
	api.bio_free(bio);
	if (!key)
		return explain_key(&passphrase, pem, len, err);
	int bits = api.pkey_bits(key);
	if (api.pkey_type(key) != EVP_PKEY_RSA) {
		rv_fail(err, RV_AUTH, "the private key is not an RSA key");
	} else if (bits < SHORTEST_KEY_BITS || bits > LONGEST_KEY_BITS) {
		rv_fail(err, RV_AUTH, "the private key has %d bits, %s than %d", bits,
			bits < SHORTEST_KEY_BITS ? "less" : "more",
			bits < SHORTEST_KEY_BITS ? SHORTEST_KEY_BITS : LONGEST_KEY_BITS);
	} else {
		*ret = rv_calloc(1, sizeof(**ret));
		(*ret)->key = key;
		(*ret)->bits = (size_t)bits;
		return RV_OK;
	}
	rv_hint(err, "make one with: openssl genrsa 2048 | openssl pkcs8 -topk8 -out rsa_key.p8 -nocrypt");
	api.pkey_free(key);
	return err->status;
}

void rv_rsa_key_free(struct rv_rsa_key *key)
{
	if (!key)
		return;
	api.pkey_free(key->key); /* OpenSSL wipes it */
	rv_free_p(&key);
}

void rv_rsa_key_free_p(struct rv_rsa_key **key)
{
	rv_rsa_key_free(*key);
	*key = NULL;
}

enum rv_status rv_rsa_key_public(const struct rv_rsa_key *key, struct rv_strbuf *ret,
				 struct rv_error *err)
{
	int len = api.public_der(key->key, NULL);
	if (len <= 0) {
		api.clear_errors();
		return rv_fail(err, RV_AUTH, "the private key has no public half");
	}
	RV_CLEANUP(rv_free_p) unsigned char *der = rv_malloc((size_t)len);
	unsigned char *p = der;
	api.public_der(key->key, &p);
	rv_strbuf_add(ret, der, (size_t)len);
	return RV_OK;
}

enum rv_status rv_rsa_sign(const struct rv_rsa_key *key, const void *p, size_t len,
			   struct rv_strbuf *ret, struct rv_error *err)
{
	RV_CLEANUP(free_ctx_p) struct evp_md_ctx *ctx = api.ctx_new();
	unsigned char signature[LONGEST_KEY_BITS / 8];
	size_t signature_len = sizeof(signature);
	if (!ctx || api.sign_init(ctx, NULL, api.sha256, NULL, key->key) != 1 ||
	    api.sign(ctx, signature, &signature_len, p, len) != 1) {
		unsigned long code = api.first_error();
		const char *reason = code ? api.error_reason(code) : NULL;
		rv_fail(err, RV_AUTH, "the private key does not sign: %s",
			reason ? reason : "unknown reason");
		api.clear_errors();
		return err->status;
	}
	rv_strbuf_add(ret, signature, signature_len);
	return RV_OK;
}
