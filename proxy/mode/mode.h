/* mode: how clients reach a listener, and so who tells it the origin.
 *
 * A listener is written "[MODE@]ADDR:PORT": "127.0.0.1:8080", "socks5@127.0.0.1:1080",
 * "reverse:https://api.example.com@127.0.0.1:9000". One row a mode in mode_rows, from which help and errors
 * are made.
 *
 * A reverse listener stands for one origin. That origin is sent its own name as Host or :authority
 * (mode_add_host), as its virtual hosts expect, and its name is that of the recorded URL; the recorded fields
 * are those that came. It stands at the origin's root: a URL with a path is refused, because redirects,
 * cookies' Path and links of the answers would have to be rewritten to fit, and weir changes nothing.
 *
 * Threads: immutable once parsed, shared freely. */
#ifndef WEIR_MODE_MODE_H
#define WEIR_MODE_MODE_H

#include <stdbool.h>
#include <stddef.h>

#include "proxy/base/err.h"
#include "proxy/base/span.h"
#include "proxy/base/strbuf.h"
#include "proxy/mode/target.h"

enum mode_kind {
    MODE_FORWARD,     /* the request's target or CONNECT tells; also SOCKS and TLS, told by the first bytes */
    MODE_REVERSE,     /* always mode.target; plain or TLS, told by the first bytes */
    MODE_SOCKS5,      /* the handshake tells; also SOCKS4 and 4a; nothing else */
    MODE_TRANSPARENT, /* the address that a redirected connection was made to (origdst.h); any bytes */
};

struct mode {
    enum mode_kind kind;
    bool is_tls;          /* "https": a forward proxy that takes clients inside TLS only */
    struct target target; /* MODE_REVERSE */
};

struct mode_row {
    const char *name;
    const char *argument; /* what follows the name and a ':'; NULL: nothing does */
    enum mode_kind kind;
    bool is_tls;
    const char *help; /* one line */
};
extern const struct mode_row mode_rows[]; /* in the order in which help shows them; a NULL name ends them */

/* Adds "forward, https, socks5, reverse:URL, transparent": for errors and usage. */
void mode_add_names(struct strbuf *out);

/* "[MODE@]ADDR:PORT". default_mode is that of a text without MODE ("socks5", as --mode takes it; NULL:
 * forward), and is looked at even when text has its own. out_address is what listen_parse takes, borrowed
 * from text. ERR_USAGE. */
bool mode_parse(const char *text, const char *default_mode, struct mode *out_mode, const char **out_address,
                struct err *err);

/* Whether clients of such a listener know that they speak with a proxy, and so can be asked who they are
 * (auth.h). */
static inline bool mode_can_ask(const struct mode *mode)
{
    return mode->kind == MODE_FORWARD || mode->kind == MODE_SOCKS5;
}

/* Adds what the origin of a reverse listener is sent as Host: "api.example.com", "[::1]:8443". */
void mode_add_host(struct strbuf *out, const struct mode *mode);

#endif
