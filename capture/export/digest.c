#include "capture/export/digest.h"

#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>

#include "proxy/base/mem.h"

/* EVP's digests only fail when a build of OpenSSL lacks them; then nothing here means anything. */
static void must(int ok)
{
    if (ok != 1) {
        fputs("weir: OpenSSL has no SHA-1 or SHA-256\n", stderr);
        abort();
    }
}

void digest_uuid(const char *what, struct span which, char out[DIGEST_UUID_BYTES])
{
    /* Made once by chance; changing it would give every exported item a new id. */
    static const unsigned char weir_namespace[16] = { 0x5b, 0xd1, 0x6e, 0x2c, 0x83, 0x0f, 0x4d, 0x47,
                                                      0xa9, 0x6a, 0x1e, 0x70, 0xc4, 0x39, 0x2d, 0xf8 };
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    unsigned char hash[EVP_MAX_MD_SIZE];
    char *at = out;

    must(md != NULL && EVP_DigestInit_ex(md, EVP_sha1(), NULL));
    must(EVP_DigestUpdate(md, weir_namespace, sizeof(weir_namespace)));
    must(EVP_DigestUpdate(md, what, strlen(what) + 1)); /* its NUL parts it from which */
    must(EVP_DigestUpdate(md, which.ptr, which.len));
    must(EVP_DigestFinal_ex(md, hash, NULL));
    EVP_MD_CTX_free(md);
    hash[6] = (unsigned char)((hash[6] & 0x0f) | 0x50);
    hash[8] = (unsigned char)((hash[8] & 0x3f) | 0x80);
    for (size_t i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        at += snprintf(at, 3, "%02x", hash[i]);
    }
}

struct digest {
    EVP_MD_CTX *md;
};

struct digest *digest_new(void)
{
    struct digest *digest = mem_new(struct digest);

    digest->md = EVP_MD_CTX_new();
    must(digest->md != NULL && EVP_DigestInit_ex(digest->md, EVP_sha256(), NULL));
    return digest;
}

void digest_free(struct digest *digest)
{
    if (digest == NULL)
        return;
    EVP_MD_CTX_free(digest->md);
    mem_free(digest);
}

void digest_feed(struct digest *digest, struct span bytes)
{
    must(EVP_DigestUpdate(digest->md, bytes.ptr, bytes.len));
}

void digest_hex(struct digest *digest, char out[DIGEST_HEX_BYTES])
{
    unsigned char hash[EVP_MAX_MD_SIZE];

    must(EVP_DigestFinal_ex(digest->md, hash, NULL));
    for (size_t i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}
