#include "tools/say.h"

#include <unistd.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"
#include "tools/lan.h"
#include "tools/qr.h"
#include "tools/text.h"

void say_listeners(FILE *out, const struct proxy *proxy, const struct capture_args *capture)
{
    struct strbuf line = STRBUF_EMPTY;

    for (size_t i = 0; i < proxy_listener_count(proxy); i++) {
        strbuf_printf(&line, "listening on %s", proxy_listener_name(proxy, i));
        if (!capture_args_is_forward(capture, i)) {
            char *mode = capture_args_mode(capture, i);
            strbuf_add_str(&line, " (");
            text_add_shown(&line, span_of(mode));
            strbuf_add_char(&line, ')');
            mem_free(mode);
        }
        strbuf_add_char(&line, '\n');
    }
    fputs(strbuf_text(&line), out);
    strbuf_clear(&line);
    fflush(out);
}

static void say_address(void *self, const char *address)
{
    FILE *out = self;
    struct strbuf code = STRBUF_EMPTY;
    char *url = mem_printf("http://%s/", address);

    fprintf(out, "phones: set the proxy to %s and open http://weir.test/\n", address);
    if (isatty(fileno(out)) && qr_add(&code, url))
        fprintf(out, "%s%s\n", strbuf_text(&code), url);
    strbuf_clear(&code);
    mem_free(url);
}

void say_phones(FILE *out, const struct proxy *proxy, const struct capture_args *capture)
{
    for (size_t i = 0; i < proxy_listener_count(proxy); i++) {
        const char *name = proxy_listener_name(proxy, i);
        if (!lan_is_loopback(name) && capture_args_is_forward(capture, i))
            lan_each(name, say_address, out);
    }
}

void say_new_ca(FILE *out, const struct ca *ca)
{
    fprintf(out,
            "made a root certificate, %s; clients have to trust it: 'weir ca trust' or http://weir.test/\n",
            ca_cert_path(ca));
}

void say_recording(FILE *out, const char *session, const char *ends_how)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_add_str(&line, "recording session '");
    text_add_shown(&line, span_of(session));
    fprintf(out, "%s'%s%s\n", strbuf_text(&line), ends_how != NULL ? "; " : "",
            ends_how != NULL ? ends_how : "");
    strbuf_clear(&line);
    fflush(out);
}

static void say_session(struct view *view, const char *store, const struct capture_summary *summary)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_add_str(&line, "session '");
    text_add_shown(&line, span_of(summary->name));
    strbuf_add_str(&line, "': ");
    text_add_count(&line, summary->exchanges, "exchange", "exchanges");
    if (summary->pruned != 0)
        strbuf_printf(&line, " (%llu older pruned)", (unsigned long long)summary->pruned);
    strbuf_add_str(&line, ", ");
    text_add_count(&line, summary->hosts, "host", "hosts");
    strbuf_add_str(&line, ", ");
    text_add_size(&line, summary->request_bytes);
    strbuf_add_str(&line, " up, ");
    text_add_size(&line, summary->response_bytes);
    strbuf_add_str(&line, " down, ");
    text_add_count(&line, summary->errors, "error", "errors");
    if (summary->filtered != 0) {
        strbuf_add_str(&line, ", ");
        text_add_count(&line, summary->filtered, "filtered out", "filtered out");
    }
    view_say(view, strbuf_text(&line));
    if (summary->incomplete[0] != '\0') {
        strbuf_reset(&line);
        strbuf_printf(&line, "incomplete: %s", summary->incomplete);
        view_say(view, strbuf_text(&line));
    }
    if (summary->exchanges != 0) {
        strbuf_reset(&line);
        strbuf_add_str(&line, "export it: weir export collection ");
        text_add_shell(&line, summary->name);
        strbuf_add_str(&line, " -o collection.json");
        if (store != NULL) {
            strbuf_add_str(&line, " --store ");
            text_add_shell(&line, store);
        }
        view_say(view, strbuf_text(&line));
    }
    strbuf_clear(&line);
}

void say_summary(struct view *view, const char *store, const struct capture_summary *summary)
{
    if (summary->other_count == 0 || summary->exchanges != 0)
        say_session(view, store, summary);
    for (size_t i = 0; i < summary->other_count; i++)
        say_session(view, store, &summary->others[i]);
}

void say_browser_failed(const char *program, int status, int output)
{
    char bytes[2048];
    off_t size = lseek(output, 0, SEEK_END);
    off_t from = size > (off_t)sizeof bytes ? size - (off_t)sizeof bytes : 0;
    ssize_t got = pread(output, bytes, sizeof bytes, from);
    struct strbuf text = STRBUF_EMPTY;

    strbuf_add_str(&text, "weir: '");
    text_add_shown(&text, span_of(program));
    strbuf_printf(&text, "' ended with status %d%s\n", status, got > 0 ? "; the last that it said:" : "");
    if (got > 0)
        text_add_shown_lines(&text, span_make(bytes, (size_t)got));
    if (got > 0 && bytes[got - 1] != '\n')
        strbuf_add_char(&text, '\n');
    fputs(strbuf_text(&text), stderr);
    strbuf_clear(&text);
}

void say_nothing_came(void)
{
    fputs("weir: nothing of the command reached weir; perhaps it obeys no proxy variables: Node.js before 24 "
          "ignores "
          "them, Go ignores them for localhost; try its own proxy option\n",
          stderr);
}
