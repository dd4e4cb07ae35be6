/* response: one HTTP/1.1 response as it comes in (llhttp's parser), and what is checked of it.
 *
 * Interim responses are passed over. X-Body-Crc32 is zlib's crc32 of the body, in hexadecimal;
 * X-Received-Length how many bytes of the request the origin got. */
#ifndef WEIR_BENCH_LOAD_RESPONSE_H
#define WEIR_BENCH_LOAD_RESPONSE_H

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct response {
    llhttp_t parser;
    char name[24], value[24]; /* of the header field that is coming in; longer ones are cut: none of ours */
    size_t name_len, value_len;
    bool has_body, computes_crc;
    bool has_begun, is_complete, has_crc, keeps_connection;
    uint32_t wanted_crc, crc;
    uint64_t body_bytes, received_bytes; /* received_bytes: UINT64_MAX where the origin does not say */
};

/* has_body: false for the answer to CONNECT. */
void response_begin(struct response *response, bool has_body, bool computes_crc);

/* False, with the reason, when it is malformed or more came than the response. */
bool response_feed(struct response *response, const char *bytes, size_t len, const char **out_why);

/* The connection has ended: true if that completes the response. */
bool response_end(struct response *response);

int response_status(const struct response *response);

#endif
