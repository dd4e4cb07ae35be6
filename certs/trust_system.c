/* The system's store: one file in the folder that the distribution has for it, and the distribution's own
 * command, which rebuilds what programs read. */
#include "certs/trust_store.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "certs/file.h"
#include "certs/run.h"
#include "proxy/base/mem.h"

#define MAX_ANCHOR_BYTES (64 * 1024)

static const struct distribution {
    const char *name;
    const char *anchors;
    const char *update_command;
    const char *fresh_option; /* or NULL: what it must be told to forget a certificate whole, links too */
} distributions[] = {
    /* the first whose folder is there */
    { "Debian and Ubuntu", "/usr/local/share/ca-certificates", "/usr/sbin/update-ca-certificates",
      "--fresh" },
    { "Fedora and RHEL", "/etc/pki/ca-trust/source/anchors", "/usr/bin/update-ca-trust", NULL },
    { "Arch", "/etc/ca-certificates/trust-source/anchors", "/usr/bin/update-ca-trust", NULL },
    { "openSUSE", "/etc/pki/trust/anchors", "/usr/sbin/update-ca-certificates", "--fresh" },
};

/* The store, and our file in it. */
struct anchor {
    char *path;
    char *path_word, *cert_word; /* for a command line */
    const char *update_command, *fresh_option;
    char *forget_command; /* both, for a command line */
    const struct ca *ca;
    bool is_writable;
};

static bool run_update(const struct anchor *anchor, const char *option, struct err *err)
{
    const char *argv[] = { anchor->update_command, option, NULL };
    struct strbuf output = STRBUF_EMPTY;
    int status;
    bool ok = run_tool(argv, SPAN_NONE, &output, &status, err);

    if (ok && status != 0) {
        struct span why = trust_last_line(strbuf_span(&output));
        ok = err_set(err, ERR_SYS, "'%s' ended with %d: %.*s", anchor->update_command, status, SPAN_ARG(why));
    }
    strbuf_clear(&output);
    return ok;
}

/* Puts back what was there before: the certificate before its renewal, or nothing. */
static void restore(const struct anchor *anchor, const struct file_content *before)
{
    struct err err;

    /* The entry tells of the failure that led here; a second one would have the same cause. */
    if (before->bytes != NULL)
        (void)file_write(anchor->path, 0644, file_content_span(before), &err);
    else
        (void)unlink(anchor->path);
}

static void install(const struct anchor *anchor, struct trust_entry *entry)
{
    struct file_content before = { NULL, 0, 0 };
    struct err err = { 0 };

    if (!file_read(anchor->path, MAX_ANCHOR_BYTES, &before, &err) && err.code != ERR_FOUND) {
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
        return;
    }
    if (before.bytes != NULL && span_eq(file_content_span(&before), ca_pem(anchor->ca))) {
        trust_entry_end(entry, TRUST_ALREADY_THERE, "%s", "");
    } else if (!anchor->is_writable) {
        trust_entry_end(entry, TRUST_SKIPPED, "needs root; run: sudo install -m 644 %s %s && sudo %s",
                        anchor->cert_word, anchor->path_word, anchor->update_command);
    } else if (!file_write(anchor->path, 0644, ca_pem(anchor->ca), &err)) {
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
    } else if (!run_update(anchor, NULL, &err)) {
        restore(anchor, &before);
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
    } else {
        trust_entry_end(entry, TRUST_ADDED, "%s",
                        before.bytes != NULL ? "in place of the certificate before its renewal" : "");
        trust_entry_set_undo(entry, "rm %s && %s", anchor->path_word, anchor->forget_command);
    }
    file_content_clear(&before);
}

static void uninstall(const struct anchor *anchor, struct trust_entry *entry)
{
    struct err err;

    if (!file_exists(anchor->path)) {
        trust_entry_end(entry, TRUST_NOT_THERE, "%s", "");
    } else if (!anchor->is_writable) {
        trust_entry_end(entry, TRUST_SKIPPED, "needs root; run: sudo rm %s && sudo %s", anchor->path_word,
                        anchor->forget_command);
    } else if (unlink(anchor->path) != 0) {
        err_sys(&err, errno, "removing '%s'", anchor->path);
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
    } else if (!run_update(anchor, anchor->fresh_option, &err)) {
        trust_entry_end(entry, TRUST_FAILED, "the file is gone, but %s; run that command again", err.text);
    } else {
        trust_entry_end(entry, TRUST_REMOVED, "%s", "");
        trust_entry_set_undo(entry, "weir ca trust");
    }
}

void trust_system_do(enum trust_action action, const struct ca *ca, const struct trust_roots *roots,
                     struct trust_report *report)
{
    for (size_t i = 0; i < sizeof distributions / sizeof distributions[0]; i++) {
        const struct distribution *distribution = &distributions[i];
        char *folder = mem_printf("%s%s", roots->system_root, distribution->anchors);
        struct anchor anchor = { .ca = ca };
        struct trust_entry *entry;

        if (!file_is_dir(folder)) {
            mem_free(folder);
            continue;
        }
        anchor.path = mem_printf("%s/weir-%s.crt", folder, ca_id(ca));
        anchor.path_word = trust_shell_word(anchor.path);
        anchor.cert_word = trust_shell_word(ca_cert_path(ca));
        anchor.update_command =
            roots->update_command != NULL ? roots->update_command : distribution->update_command;
        anchor.fresh_option = distribution->fresh_option;
        anchor.forget_command =
            mem_printf("%s%s%s", anchor.update_command, anchor.fresh_option != NULL ? " " : "",
                       anchor.fresh_option != NULL ? anchor.fresh_option : "");
        /* As the effective user: what counts is what we may do now. */
        anchor.is_writable = faccessat(AT_FDCWD, folder, W_OK, AT_EACCESS) == 0;
        entry = trust_report_add(report, distribution->name, anchor.path);
        if (action == TRUST_INSTALL)
            install(&anchor, entry);
        else
            uninstall(&anchor, entry);
        mem_free(anchor.path);
        mem_free(anchor.path_word);
        mem_free(anchor.cert_word);
        mem_free(anchor.forget_command);
        mem_free(folder);
        return;
    }
    trust_entry_end(trust_report_add(report, "system", "/etc/ssl/certs"), TRUST_SKIPPED,
                    "no store that weir knows; is the package ca-certificates installed?");
}
