#include "certs/trust.h"

#include <stdarg.h>
#include <stdio.h>

#include "certs/trust_store.h"
#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

void trust_install(const struct ca *ca, const struct trust_roots *roots, struct trust_report *out_report)
{
    *out_report = (struct trust_report){ NULL, 0 };
    trust_system_do(TRUST_INSTALL, ca, roots, out_report);
    trust_nss_do(TRUST_INSTALL, ca, roots, out_report);
}

void trust_remove(const struct ca *ca, const struct trust_roots *roots, struct trust_report *out_report)
{
    *out_report = (struct trust_report){ NULL, 0 };
    trust_system_do(TRUST_REMOVE, ca, roots, out_report);
    trust_nss_do(TRUST_REMOVE, ca, roots, out_report);
}

void trust_report_clear(struct trust_report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        mem_free(report->entries[i].store);
        mem_free(report->entries[i].path);
        mem_free(report->entries[i].detail);
        mem_free(report->entries[i].undo);
    }
    mem_free(report->entries);
    *report = (struct trust_report){ NULL, 0 };
}

const char *trust_outcome_text(enum trust_outcome outcome)
{
    static const char *const texts[] = {
        [TRUST_ADDED] = "added",     [TRUST_ALREADY_THERE] = "already there",
        [TRUST_REMOVED] = "removed", [TRUST_NOT_THERE] = "was not there",
        [TRUST_SKIPPED] = "skipped", [TRUST_FAILED] = "failed",
    };
    return texts[outcome];
}

struct trust_entry *trust_report_add(struct trust_report *report, const char *store, const char *path)
{
    struct trust_entry *entry;

    report->entries = mem_realloc(report->entries, (report->count + 1) * sizeof *report->entries);
    entry = &report->entries[report->count++];
    *entry = (struct trust_entry){ mem_strdup(store), mem_strdup(path), TRUST_SKIPPED, mem_strdup(""),
                                   mem_strdup("") };
    return entry;
}

static char *format_text(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

static char *format_text(const char *format, va_list args)
{
    char text[2048];

    vsnprintf(text, sizeof text, format, args);
    return mem_strdup(text);
}

void trust_entry_end(struct trust_entry *entry, enum trust_outcome outcome, const char *detail, ...)
{
    va_list args;

    entry->outcome = outcome;
    mem_free(entry->detail);
    va_start(args, detail);
    entry->detail = format_text(detail, args);
    va_end(args);
}

void trust_entry_set_undo(struct trust_entry *entry, const char *undo, ...)
{
    va_list args;

    mem_free(entry->undo);
    va_start(args, undo);
    entry->undo = format_text(undo, args);
    va_end(args);
}

char *trust_shell_word(const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=-+,@%";
    struct strbuf word = STRBUF_EMPTY;

    if (*text != '\0' && strspn(text, plain) == strlen(text))
        return mem_strdup(text);
    strbuf_add_char(&word, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            strbuf_add_str(&word, "'\\''");
        else
            strbuf_add_char(&word, *text);
    }
    strbuf_add_char(&word, '\'');
    return strbuf_detach(&word);
}

struct span trust_last_line(struct span output)
{
    struct span last = SPAN("it said nothing");
    struct span line;

    while (span_split(&output, '\n', &line)) {
        line = span_trim(line);
        if (line.len != 0)
            last = line;
    }
    return last;
}
