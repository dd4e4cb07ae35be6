/* curl: a captured request as a command that sends it again, byte for byte.
 *
 * The command is for bash and curl 7.55 or later (seen with 7.88). It sends method, target, header fields
 * (their order, case and repeats) and body as the client did; curl adds nothing of its own. What stays
 * different, all of it with a reason that is not ours to remove:
 *
 * - blanks around a field's value, and where a chunked body was cut, are not in the record;
 * - an absolute target that was sent to the origin itself (in a tunnel) is recorded, and sent, as its path;
 * - trailers: curl has no option for them;
 * - a field whose value is nothing but vertical tabs or form feeds: curl takes it for an empty one, and drops
 * it;
 * - Proxy-Connection and Proxy-Authorization are the proxy's and left out;
 * - a Host that contradicts an absolute target is replaced by the target's, as every proxy must (RFC 9112
 *   §3.2.2);
 * - the other fields that concern one hop are sent as the client sent them, also where weir, being a hop, did
 *   not pass them on.
 *
 * Without secrets, their places are shell variables of bash ("$apiShopBearer"): then a body with one in it
 * has no Content-Length, which curl adds, and one whose content coding hides a secret is sent without that
 * coding.
 *
 * The request only: curl reads the answer by its own rules. It waits for the body of an answer to a HEAD that
 * had a body itself, for which there is no switch: that command gives up after 10 s. */
#ifndef WEIR_CAPTURE_EXPORT_CURL_H
#define WEIR_CAPTURE_EXPORT_CURL_H

#include <stdbool.h>
#include <stdio.h>

#include "capture/export/export.h"
#include "capture/export/secrets.h"

/* Whether a request is there whole and can be sent again at all; if not, why. */
bool curl_takes(const struct record *record, enum export_reason *out_why);

/* What of a request is not in its command. */
struct curl_losses {
    bool has_trailers;
    unsigned unfit_fields;
};

/* The command, a line feed behind it; secrets NULL: with all values as they are; lines that begin with '#'
 * before it tell what is lost. Only for what curl_takes takes. Memory does not grow with the body. Fails when
 * the store does. */
bool curl_write(const struct export_source *source, const struct record *record, struct secrets *secrets,
                FILE *out, struct curl_losses *out_losses, struct err *err);

#endif
