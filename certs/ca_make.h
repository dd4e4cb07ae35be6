/* ca_make: what reading a CA (ca.c) and making one (ca_make.c) share; for these two files alone. */
#ifndef WEIR_CERTS_CA_MAKE_H
#define WEIR_CERTS_CA_MAKE_H

#include "certs/ca.h"

/* As ca_load, but refuses one that is not valid now. */
bool ca_load_current(const char *dir, struct ca **out_ca, struct err *err);

/* Refuses a key that others can read, and one that is neither EC nor RSA. The key is the caller's. */
bool ca_read_key(const char *path, EVP_PKEY **out_key, enum key_type *out_type, struct err *err);

/* The first 8 hex digits of the SHA-256 of the public key's bits. */
bool ca_key_id(X509_PUBKEY *key, char out_id[9]);

#endif
