/* recording: a store in a temporary folder, and exchanges told to a recorder as the proxy tells them. */
#ifndef WEIR_TESTS_SUPPORT_RECORDING_H
#define WEIR_TESTS_SUPPORT_RECORDING_H

#include "capture/capture.h"
#include "capture/store/store.h"
#include "proxy/exchange/tap.h"

/* A new folder under /tmp, and the path of a store in it. test_folder_remove takes all of it away. */
struct test_folder {
    char path[64];
    char store[96];
};
void test_folder_make(struct test_folder *folder);
void test_folder_remove(struct test_folder *folder);

/* A head from "Name: value" lines, NULL at the end. The caller frees it. */
struct http_head *test_request(const char *method, const char *target, const char *const *lines);
struct http_head *test_response(int status, const char *const *lines);

/* An exchange under way. */
struct test_exchange {
    struct tap_exchange exchange; /* the first: resume gets it */
    struct tap tap;
    struct tap_line line;
    int resumed;
};
/* What an exchange of http://HOST from 192.0.2.1 is made of, before tap_request begins it. */
void test_prepare(struct test_exchange *x, struct recorder *recorder, const char *host);
/* http://HOST/TARGET from 192.0.2.1 begins. lines may be NULL. */
void test_begin(struct test_exchange *x, struct recorder *recorder, const char *method, const char *host,
                const char *target, const char *const *lines);
/* The same with a head of any kind, which it takes. */
void test_begin_head(struct test_exchange *x, struct recorder *recorder, struct http_head *head,
                     const char *host);
void test_respond(struct test_exchange *x, int status, const char *const *lines);
enum tap_answer test_body(struct test_exchange *x, enum http_role side, struct span bytes);
enum tap_answer test_upgraded(struct test_exchange *x, enum http_role side, struct span bytes);
void test_end(struct test_exchange *x,
              enum tap_outcome outcome); /* both sides' ends when done, and on_done */

/* All of it: GET, 200 with this body. */
void test_exchange(struct recorder *recorder, const char *host, const char *target, struct span body);

/* The store as it is now. Fail the test when they can't. */
struct store *test_open(const char *path);
int64_t test_count(const char *path, const char *sql); /* a number from SQL, by a handle of its own */
/* The body's bytes. */
void test_read_body(struct store *store, int64_t body, struct strbuf *out_bytes);
/* The exchanges that a reader sees, told to each. */
void test_each(const char *path, int64_t session,
               void (*each)(void *self, struct store *, const struct record *), void *self);

void test_no_wake(void *self);

#endif
