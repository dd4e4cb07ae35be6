#include "tests/bench/load/response.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#include "proxy/base/span.h"

static int add(char *to, size_t size, size_t *len, const char *from, size_t count)
{
    size_t room = size - 1 - *len;

    memcpy(to + *len, from, count < room ? count : room);
    *len += count < room ? count : room;
    to[*len] = '\0';
    return HPE_OK;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct response *response = parser->data;

    return add(response->name, sizeof response->name, &response->name_len, at, len);
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    struct response *response = parser->data;

    return add(response->value, sizeof response->value, &response->value_len, at, len);
}

static int on_field(llhttp_t *parser)
{
    struct response *response = parser->data;

    if (strcasecmp(response->name, "X-Body-Crc32") == 0) {
        response->has_crc = true;
        response->wanted_crc = (uint32_t)strtoul(response->value, NULL, 16);
    } else if (strcasecmp(response->name, "X-Received-Length") == 0) {
        response->received_bytes = strtoull(response->value, NULL, 10);
    }
    response->name_len = response->value_len = 0;
    return HPE_OK;
}

/* What 1 says to llhttp: no body comes, whatever the head says. */
static int on_head(llhttp_t *parser)
{
    const struct response *response = parser->data;

    return response->has_body ? 0 : 1;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct response *response = parser->data;

    if (response->computes_crc)
        response->crc = (uint32_t)crc32(response->crc, (const unsigned char *)at, (unsigned)len);
    response->body_bytes += len;
    return HPE_OK;
}

static int on_complete(llhttp_t *parser)
{
    struct response *response = parser->data;

    if (parser->status_code < 200)
        return HPE_OK;
    response->is_complete = true;
    response->keeps_connection = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = { .on_header_field = on_name,
                                            .on_header_value = on_value,
                                            .on_header_value_complete = on_field,
                                            .on_headers_complete = on_head,
                                            .on_body = on_body,
                                            .on_message_complete = on_complete };

void response_begin(struct response *response, bool has_body, bool computes_crc)
{
    *response =
        (struct response){ .has_body = has_body, .computes_crc = computes_crc, .received_bytes = UINT64_MAX };
    llhttp_init(&response->parser, HTTP_RESPONSE, &settings);
    response->parser.data = response;
}

bool response_feed(struct response *response, const char *bytes, size_t len, const char **out_why)
{
    llhttp_errno_t result = llhttp_execute(&response->parser, bytes, len);

    response->has_begun = true;
    if (result == HPE_PAUSED) {
        *out_why = "more came than the response";
        return llhttp_get_error_pos(&response->parser) == bytes + len;
    }
    *out_why = llhttp_get_error_reason(&response->parser);
    return result == HPE_OK;
}

bool response_end(struct response *response)
{
    if (response->has_begun && !response->is_complete)
        llhttp_finish(&response->parser);
    return response->is_complete;
}

int response_status(const struct response *response)
{
    return response->parser.status_code;
}
