/* ca: the root certificate: looking at it, making it, renewing it, and having it trusted. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "certs/ca.h"
#include "certs/trust.h"
#include "proxy/base/mem.h"
#include "tools/command.h"
#include "tools/config.h"
#include "tools/json_text.h"
#include "tools/text.h"

/* --- what there is ------------------------------------------------------------------------------------- */

static const char *key_type_name(enum key_type type)
{
    return type == KEY_RSA ? "RSA" : "EC";
}

static void print_ca(const struct args *args, const struct ca *ca)
{
    char expiry[X509_DATE_BYTES];
    time_t now = time(NULL), end = ca_expiry(ca);

    if (args->json) {
        json_t *object = json_object();
        json_object_set_new(object, "certificate", json_of_bytes(span_of(ca_cert_path(ca))));
        json_object_set_new(object, "key", json_of_bytes(span_of(ca_key_path(ca))));
        json_object_set_new(object, "key_type", json_string(key_type_name(ca_key_type(ca))));
        json_object_set_new(object, "fingerprint_sha256", json_string(ca_fingerprint_sha256(ca)));
        json_object_set_new(object, "expires", json_of_time((uint64_t)end * 1000000));
        json_print(object, JSON_INDENT(2));
        return;
    }
    x509_date(end, expiry);
    printf("certificate: %s\n", ca_cert_path(ca));
    printf("key:         %s (%s, secret)\n", ca_key_path(ca), key_type_name(ca_key_type(ca)));
    printf("fingerprint: %s (SHA-256)\n", ca_fingerprint_sha256(ca));
    if (end < now)
        printf("expired:     %s; 'weir ca renew' makes a new certificate for the same key\n", expiry);
    else
        printf("expires:     %s, in %lld days\n", expiry, (long long)(end - now) / (24 * 3600));
}

static bool show(const struct args *args, const char *dir, struct err *err)
{
    struct ca *ca;

    if (!ca_load(dir, &ca, err))
        return false;
    print_ca(args, ca);
    ca_unref(ca);
    return true;
}

/* --- a new one ----------------------------------------------------------------------------------------- */

static bool create(const struct args *args, const char *dir, struct err *err)
{
    struct ca *ca;

    if (!ca_create(dir, args->key_type == 2 ? KEY_RSA : KEY_EC, args->force, &ca, err))
        return false;
    print_ca(args, ca);
    ca_unref(ca);
    if (!args->json)
        puts("clients have to trust it: 'weir ca trust' does it for this machine's system, Chrome and "
             "Firefox");
    return true;
}

static bool renew(const struct args *args, const char *dir, struct err *err)
{
    struct ca *ca;

    if (!ca_renew(dir, &ca, err))
        return false;
    print_ca(args, ca);
    ca_unref(ca);
    if (!args->json)
        puts("clients that trust the old certificate accept its leaves until it expires; 'weir ca trust' "
             "puts the new\n"
             "one beside it");
    return true;
}

/* --- trust --------------------------------------------------------------------------------------------- */

static json_t *report_list(const struct trust_report *report)
{
    json_t *list = json_array();

    for (size_t i = 0; i < report->count; i++) {
        const struct trust_entry *entry = &report->entries[i];
        json_t *object = json_object();
        json_object_set_new(object, "store", json_of_bytes(span_of(entry->store)));
        json_object_set_new(object, "path", json_of_bytes(span_of(entry->path)));
        json_object_set_new(object, "outcome", json_string(trust_outcome_text(entry->outcome)));
        json_object_set_new(object, "detail", json_of_bytes(span_of(entry->detail)));
        json_object_set_new(object, "undo", json_of_bytes(span_of(entry->undo)));
        json_array_append_new(list, object);
    }
    return list;
}

static void print_entry(const struct trust_entry *entry)
{
    struct strbuf line = STRBUF_EMPTY;

    strbuf_printf(&line, "%s: %s", entry->store, trust_outcome_text(entry->outcome));
    if (entry->path[0] != '\0') {
        strbuf_add_str(&line, ", ");
        text_add_shown(&line, span_of(entry->path));
    }
    if (entry->detail[0] != '\0') {
        strbuf_add_str(&line, "\n  ");
        text_add_shown(&line, span_of(entry->detail));
    }
    if (entry->undo[0] != '\0') {
        strbuf_add_str(&line, "\n  to undo: ");
        text_add_shown(&line, span_of(entry->undo));
    }
    puts(strbuf_text(&line));
    strbuf_clear(&line);
}

/* Prints what became of each store. False when one failed, or when none is as it was wanted. */
static bool report_trust(const struct args *args, const struct trust_report *report, struct err *err)
{
    size_t failed = 0, good = 0;

    for (size_t i = 0; i < report->count; i++) {
        enum trust_outcome outcome = report->entries[i].outcome;
        failed += outcome == TRUST_FAILED;
        good += outcome != TRUST_FAILED && outcome != TRUST_SKIPPED;
    }
    if (args->json) {
        json_print(report_list(report), JSON_INDENT(2));
    } else {
        for (size_t i = 0; i < report->count; i++)
            print_entry(&report->entries[i]);
    }
    if (failed != 0)
        return err_set(err, ERR_CERT, "%zu of %zu stores could not be changed; see above", failed,
                       report->count);
    if (good == 0)
        return err_set(err, ERR_CERT, "no store was changed; see above what to run");
    return true;
}

static struct trust_roots real_roots(void)
{
    return (struct trust_roots){ .home = getenv("HOME"), .system_root = "", .update_command = NULL };
}

static bool trust(const struct args *args, const char *dir, struct err *err)
{
    struct trust_roots roots = real_roots();
    struct trust_report report;
    struct ca *ca;
    bool is_created, ok;

    if (!ca_open(dir, KEY_EC, &ca, &is_created, err))
        return false;
    trust_install(ca, &roots, &report);
    ca_unref(ca);
    ok = report_trust(args, &report, err);
    trust_report_clear(&report);
    return ok;
}

static bool untrust(const struct args *args, const char *dir, struct err *err)
{
    struct trust_roots roots = real_roots();
    struct trust_report report;
    struct ca *ca;
    bool ok;

    if (!ca_load(dir, &ca, err))
        return false;
    trust_remove(ca, &roots, &report);
    ca_unref(ca);
    ok = report_trust(args, &report, err);
    trust_report_clear(&report);
    return ok;
}

/* --- the command --------------------------------------------------------------------------------------- */

static const struct {
    const char *word, *about;
    bool (*run)(const struct args *args, const char *dir, struct err *err);
} actions[] = {
    { "show", "its files, fingerprint and expiry (the default)", show },
    { "create", "make one; one that is there is replaced only with --force", create },
    { "renew", "a new certificate for the same key and name", renew },
    { "trust", "put it into the system's store and those of Chrome and Firefox", trust },
    { "untrust", "take it out of them", untrust },
};

#define ACTION_COUNT (sizeof actions / sizeof actions[0])

const char *cmd_ca_word(size_t i, const char **out_about)
{
    if (i >= ACTION_COUNT)
        return NULL;
    *out_about = actions[i].about;
    return actions[i].word;
}

int cmd_ca(const struct args *args)
{
    const char *word = args->operands.count != 0 ? args->operands.items[0] : "show";
    struct err err;
    char *dir;
    bool ok;
    size_t i = 0;

    while (i < ACTION_COUNT && strcmp(actions[i].word, word) != 0)
        i++;
    if (i == ACTION_COUNT) {
        err_set(&err, ERR_USAGE,
                "'%s' is nothing to do with a CA; there is show, create, renew, trust and untrust", word);
        return command_fail(&err);
    }
    if (actions[i].run != create && (args->force || args->key_type != 0)) {
        err_set(&err, ERR_USAGE, "--force and --key-type go with 'weir ca create'");
        return command_fail(&err);
    }
    dir = config_ca_dir(args->ca_dir, &err);
    ok = dir != NULL && actions[i].run(args, dir, &err);
    mem_free(dir);
    return ok ? command_finish_stdout(EXIT_DONE) : command_fail(&err);
}
