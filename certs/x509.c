#include "certs/x509.h"

#include <stdarg.h>
#include <stdio.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>

bool x509_err(struct err *err, const char *format, ...)
{
    char text[256];
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ERR_clear_error();
    return err_set(err, ERR_CERT, "%s: %s", text, reason != NULL ? reason : "no reason given");
}

EVP_PKEY *x509_new_key(enum key_type type)
{
    /* 2048 bits: what every client takes; a longer key slows each handshake and protects only captures. */
    return type == KEY_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
}

bool x509_key_type(EVP_PKEY *key, enum key_type *out_type)
{
    if (EVP_PKEY_is_a(key, "EC"))
        *out_type = KEY_EC;
    else if (EVP_PKEY_is_a(key, "RSA"))
        *out_type = KEY_RSA;
    else
        return false;
    return true;
}

bool x509_set_random_serial(X509 *cert)
{
    unsigned char bytes[16];
    BIGNUM *number = NULL;
    bool ok = false;

    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    number = BN_bin2bn(bytes, sizeof bytes, NULL);
    ok = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

bool x509_set_validity(X509 *cert, time_t not_before, time_t not_after)
{
    return ASN1_TIME_set(X509_getm_notBefore(cert), not_before) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), not_after) != NULL;
}

ASN1_OCTET_STRING *x509_key_identifier(X509_PUBKEY *key)
{
    const unsigned char *bits;
    int bits_len;
    unsigned char digest[SHA_DIGEST_LENGTH];
    ASN1_OCTET_STRING *identifier;

    if (X509_PUBKEY_get0_param(NULL, &bits, &bits_len, NULL, key) != 1 ||
        EVP_Digest(bits, (size_t)bits_len, digest, NULL, EVP_sha1(), NULL) != 1)
        return NULL;
    identifier = ASN1_OCTET_STRING_new();
    if (identifier != NULL && ASN1_OCTET_STRING_set(identifier, digest, sizeof digest) != 1) {
        ASN1_OCTET_STRING_free(identifier);
        identifier = NULL;
    }
    return identifier;
}

void x509_date(time_t time, char out_date[X509_DATE_BYTES])
{
    struct tm parts;

    gmtime_r(&time, &parts);
    strftime(out_date, X509_DATE_BYTES, "%Y-%m-%d %H:%M:%S UTC", &parts);
}

time_t x509_time(const ASN1_TIME *time)
{
    struct tm parts;

    /* Only a certificate with a broken date gets here; it then counts as long expired. */
    return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}
