/* Modes of listeners, and credentials: what is taken says what it is, what is refused says why. */
#include <stdint.h>
#include <stdlib.h>

#include "proxy/base/base64.h"
#include "proxy/base/mem.h"
#include "proxy/mode/auth.h"
#include "proxy/mode/mode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool is_true)
{
    if (!is_true)
        abort();
}

static void try_mode(const char *text)
{
    struct strbuf again = STRBUF_EMPTY;
    struct mode mode, second;
    const char *address;
    struct err err = { .code = ERR_NONE };

    if (!mode_parse(text, NULL, &mode, &address, &err)) {
        check(err.code == ERR_USAGE && err.text[0] != '\0');
        return;
    }
    check(address >= text && address <= text + strlen(text));
    if (mode.kind != MODE_REVERSE)
        return;
    strbuf_printf(&again, "reverse:%s://", target_scheme(&mode.target));
    mode_add_host(&again, &mode);
    strbuf_add_str(&again, "@:0");
    check(mode_parse(strbuf_text(&again), NULL, &second, &address, &err));
    check(strcmp(mode.target.host, second.target.host) == 0 && mode.target.port == second.target.port);
    check(mode.target.is_tls == second.target.is_tls);
    strbuf_clear(&again);
}

static void try_base64(struct span text)
{
    struct strbuf bytes = STRBUF_EMPTY, encoded = STRBUF_EMPTY, again = STRBUF_EMPTY;

    if (base64_read(&bytes, text)) {
        base64_add(&encoded, strbuf_span(&bytes));
        check(base64_read(&again, strbuf_span(&encoded)));
        check(span_eq(strbuf_span(&bytes), strbuf_span(&again)));
    }
    strbuf_clear(&bytes);
    strbuf_clear(&encoded);
    strbuf_clear(&again);
}

static void try_auth(const char *pair, struct span credentials)
{
    struct http_head *head = http_head_new(HTTP_REQUEST);
    struct strbuf user = STRBUF_EMPTY;
    struct auth *auth = NULL;
    struct span value;
    struct err err;

    auth_new(pair, &auth, &err);
    if (headers_add(&head->headers, SPAN("Proxy-Authorization"), credentials, &err)) {
        auth_check_head(auth, head, &user);
        auth_mask(head);
        value = headers_value(&head->headers, 0);
        check(value.len == 0 || value.ptr[value.len - 1] == '*');
        check(headers_line(&head->headers, 0).len >= value.len);
    }
    strbuf_clear(&user);
    auth_free(auth);
    http_head_free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = mem_spandup(span_make(data, len));

    try_mode(text);
    try_base64(span_make(data, len));
    try_auth(text, span_make(data, len));
    mem_free(text);
    return 0;
}
