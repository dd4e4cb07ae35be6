/* llhttp.h and message.h both name a HTTP_REQUEST: here is the one place that knows llhttp. */
#include "proxy/http/h1_body.h"

#include <inttypes.h>
#include <llhttp.h>
#include <stdio.h>

#include "proxy/base/mem.h"

struct h1_body {
    llhttp_t llhttp;
    uint64_t left;    /* of the length or the chunk */
    bool is_counted;  /* a length: there is nothing to read but so many bytes */
    struct span data; /* what llhttp took for body when it was fed last */
    bool is_complete; /* llhttp has seen the end of the message */
};

static int on_body(llhttp_t *llhttp, const char *at, size_t len)
{
    struct h1_body *body = llhttp->data;

    body->data = span_make(at, len);
    return HPE_OK;
}

static int on_message_complete(llhttp_t *llhttp)
{
    struct h1_body *body = llhttp->data;

    body->is_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = { .on_body = on_body, .on_message_complete = on_message_complete };

struct h1_body *h1_body_new(void)
{
    return mem_new(struct h1_body);
}

void h1_body_free(struct h1_body *body)
{
    mem_free(body);
}

static bool execute(struct h1_body *body, struct span bytes, struct err *err)
{
    llhttp_errno_t code;

    body->data = SPAN_NONE;
    code = llhttp_execute(&body->llhttp, bytes.ptr, bytes.len);
    if (code == HPE_OK || (code == HPE_PAUSED && body->is_complete))
        return true;
    return err_set(err, ERR_PROTO, "malformed body: %s", llhttp_get_error_reason(&body->llhttp));
}

static bool begin(struct h1_body *body, struct span head, struct err *err)
{
    llhttp_init(&body->llhttp, HTTP_REQUEST, &settings);
    body->llhttp.data = body;
    body->is_complete = false;
    return execute(body, head, err);
}

void h1_body_begin_length(struct h1_body *body, uint64_t length)
{
    body->left = length;
    body->is_counted = true;
}

bool h1_body_begin_chunks(struct h1_body *body, struct err *err)
{
    body->left = 0;
    body->is_counted = false;
    return begin(body, SPAN("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), err);
}

bool h1_body_begin_chunk(struct h1_body *body, uint64_t size, struct err *err)
{
    char line[24];
    int len = snprintf(line, sizeof line, "%" PRIx64 "\r\n", size);

    body->left = size;
    return execute(body, span_make(line, (size_t)len), err);
}

bool h1_body_end_chunk(struct h1_body *body, struct err *err)
{
    return execute(body, SPAN("\r\n"), err);
}

bool h1_body_end_chunks(struct h1_body *body, struct err *err)
{
    if (!execute(body, SPAN("0\r\n\r\n"), err))
        return false;
    return body->is_complete || err_set(err, ERR_PROTO, "malformed body: no end after the last chunk");
}

bool h1_body_feed(struct h1_body *body, struct span bytes, struct span *out_data, struct err *err)
{
    if (bytes.len > body->left)
        bytes.len = (size_t)body->left;
    if (body->is_counted)
        body->data = bytes;
    else if (!execute(body, bytes, err))
        return false;
    body->left -= body->data.len;
    *out_data = body->data;
    return true;
}

bool h1_body_is_done(const struct h1_body *body)
{
    return body->left == 0;
}
