/* tnet: typed netstrings, the form of mitmproxy's flow files: "5:hello," is LENGTH:BYTES and the type.
 *
 * Every length is known before its bytes, so nothing is parsed that nobody asks for, and a value is its place
 * in the file. Lists and dictionaries hold values one after the other; in a dictionary each second one is
 * a key. The owner's thread only. */
#ifndef WEIR_CAPTURE_IMPORT_TNET_H
#define WEIR_CAPTURE_IMPORT_TNET_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/import/input.h"
#include "proxy/base/strbuf.h"

enum tnet_type {
    TNET_NONE = 0,
    TNET_BYTES = ',',
    TNET_TEXT = ';',
    TNET_INT = '#',
    TNET_FLOAT = '^',
    TNET_BOOL = '!',
    TNET_NULL = '~',
    TNET_DICT = '}',
    TNET_LIST = ']',
};

struct tnet_value {
    enum tnet_type type;
    uint64_t at, len; /* its bytes; the type is behind them */
};

struct tnet;

struct tnet *tnet_new(struct input *input); /* lent */
void tnet_free(struct tnet *tnet);          /* NULL is fine */

/* The value at *at, which ends at or before end; *at moves behind it. False: there is none. */
bool tnet_next(struct tnet *tnet, uint64_t *at, uint64_t end, struct tnet_value *out_value);
/* How long a value at at says that it is, whether the file has so much or not. False: it says nothing. */
bool tnet_length(struct tnet *tnet, uint64_t at, uint64_t *out_start, uint64_t *out_len);

/* The value of key in a dictionary; false, with type TNET_NONE, when there is none, or it is null. */
bool tnet_find(struct tnet *tnet, const struct tnet_value *dict, const char *key,
               struct tnet_value *out_value);

/* Appended, up to out's limit; nothing of what is neither bytes nor text. */
void tnet_text(struct tnet *tnet, const struct tnet_value *value, struct strbuf *out);
/* False, and *out left, for what is no number; a boolean is 0 or 1. */
bool tnet_number(struct tnet *tnet, const struct tnet_value *value, double *out);

/* The next place from at on, behind a '}', where a whole dictionary with this key begins. */
bool tnet_scan(struct tnet *tnet, uint64_t at, const char *key, uint64_t *out_at);

#endif
