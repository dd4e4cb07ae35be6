/* err: why something failed: a code to act on, one line for a person.
 *
 * The caller owns the struct and passes its address last; it is written only on failure. A function that
 * can fail returns bool, true for done. err_set and err_add return false, so that failing is one line.
 * Text: one line, lower case, values in quotes. No allocation, no globals; any thread. */
#ifndef WEIR_BASE_ERR_H
#define WEIR_BASE_ERR_H

#include <stdbool.h>

enum err_code {
    ERR_NONE = 0,
    ERR_SYS,     /* the operating system said no: files, sockets */
    ERR_USAGE,   /* a person asked for something that makes no sense */
    ERR_LIMIT,   /* a stranger sent more than we take */
    ERR_PROTO,   /* bytes that break a protocol */
    ERR_URL,     /* not a URL, or not one that weir can use */
    ERR_CERT,    /* keys and certificates */
    ERR_TLS,     /* a handshake or a record that failed */
    ERR_DNS,     /* a name that does not resolve */
    ERR_TIMEOUT, /* one of our own limits on time */
    ERR_CLOSED,  /* the other side went away */
    ERR_STORE,   /* the store: SQLite, its file, its schema */
    ERR_LEAK,    /* refused, because a secret would have left */
    ERR_FOUND,   /* not found, or found where nothing should be */
};

struct err {
    enum err_code code;
    char text[512];
};

/* Sets code and text; always false. */
bool err_set(struct err *err, enum err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the text, where the caller knows what the callee could not; always false. */
bool err_add(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ERR_SYS with ": " and the text of errno_value at the end; always false. */
bool err_sys(struct err *err, int errno_value, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
