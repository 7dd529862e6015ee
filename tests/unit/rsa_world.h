/*
 * RSA keys for tests, made by libcrypto when a test asks for one: none is kept anywhere. libcrypto is
 * opened here a second time, with prototypes of its own, so that lib/base/crypto.c is looked at from
 * outside.
 */
#ifndef RV_TESTS_UNIT_RSA_WORLD_H
#define RV_TESTS_UNIT_RSA_WORLD_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/memory.h"

enum rsa_form { RSA_PKCS8, RSA_PKCS8_ENCRYPTED, RSA_PKCS1, RSA_PUBLIC };
#define RSA_PASSPHRASE "correct horse"

RV_UNUSED static void *rsa_function(const char *name)
{
	static void *library;

	if (!library)
		library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	assert_non_null(library);
	void *symbol = dlsym(library, name);
	assert_non_null(symbol);
	return symbol;
}
#define RSA_CALL(name, type) (*(type *)&(void *){ rsa_function(name) })

/* A key of `kind` ("RSA", "EC"); `size` bits, or the name of a curve. */
RV_UNUSED static void *rsa_generate(const char *kind, size_t bits)
{
	typedef void *generate(void *, const char *, const char *, ...);
	generate *fn = RSA_CALL("EVP_PKEY_Q_keygen", generate *);
	void *key = strcmp(kind, "EC") == 0 ? fn(NULL, NULL, kind, "P-256") : fn(NULL, NULL, kind, bits);

	assert_non_null(key);
	return key;
}

/* Caller frees. */
RV_UNUSED static char *rsa_pem(void *key, enum rsa_form form)
{
	typedef void *bio_new(const void *);
	typedef const void *constant(void);
	typedef int write_key(void *, void *, const void *, const void *, int, void *, void *);
	typedef int write_public(void *, void *);
	typedef long control(void *, int, long, void *);
	typedef int free_bio(void *);
	const void *memory = RSA_CALL("BIO_s_mem", constant *)();
	void *bio = RSA_CALL("BIO_new", bio_new *)(memory);
	const void *aes = RSA_CALL("EVP_aes_256_cbc", constant *)();
	int good = 0;

	switch (form) {
	case RSA_PKCS8:
		good = RSA_CALL("PEM_write_bio_PKCS8PrivateKey", write_key *)(bio, key, NULL, NULL, 0,
									     NULL, NULL);
		break;
	case RSA_PKCS8_ENCRYPTED:
		good = RSA_CALL("PEM_write_bio_PKCS8PrivateKey", write_key *)(
			bio, key, aes, RSA_PASSPHRASE, (int)strlen(RSA_PASSPHRASE), NULL, NULL);
		break;
	case RSA_PKCS1:
		good = RSA_CALL("PEM_write_bio_PrivateKey_traditional", write_key *)(bio, key, NULL,
										     NULL, 0, NULL, NULL);
		break;
	case RSA_PUBLIC:
		good = RSA_CALL("PEM_write_bio_PUBKEY", write_public *)(bio, key);
		break;
	}
	char *bytes = NULL;
	long len = RSA_CALL("BIO_ctrl", control *)(bio, 3 /* BIO_CTRL_INFO */, 0, &bytes);
	char *pem = good ? rv_strndup(bytes, (size_t)len) : NULL;
	RSA_CALL("BIO_free", free_bio *)(bio);
	return pem;
}

RV_UNUSED static void rsa_free(void *key)
{
	typedef void free_key(void *);
	RSA_CALL("EVP_PKEY_free", free_key *)(key);
}

/* Does `signature` of `text` come from `key`? */
RV_UNUSED static bool rsa_verify(void *key, const void *text, size_t len, const void *signature,
				 size_t signature_len)
{
	typedef void *ctx_new(void);
	typedef void ctx_free(void *);
	typedef const void *constant(void);
	typedef int init(void *, void **, const void *, void *, void *);
	typedef int verify(void *, const void *, size_t, const void *, size_t);
	void *ctx = RSA_CALL("EVP_MD_CTX_new", ctx_new *)();
	bool good = RSA_CALL("EVP_DigestVerifyInit", init *)(
			    ctx, NULL, RSA_CALL("EVP_sha256", constant *)(), NULL, key) == 1 &&
		    RSA_CALL("EVP_DigestVerify", verify *)(ctx, signature, signature_len, text, len) == 1;

	RSA_CALL("EVP_MD_CTX_free", ctx_free *)(ctx);
	return good;
}

#endif
