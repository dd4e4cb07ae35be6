/* NSS databases, by NSS's own certutil. The hard parts: it asks for a password again and again until it is
 * killed, so it gets an empty one on stdin and no terminal; with a wrong one it adds the certificate all the
 * same, without trust, and then fails; and a database that we make must be gone when the CA is. */
#include "certs/trust_store.h"

#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "certs/file.h"
#include "certs/run.h"
#include "proxy/base/mem.h"

/* Below the home; a database is a folder with cert9.db. */
static const struct place {
    const char *browser;
    const char *pattern;
} places[] = {
    { "Chrome and Chromium", ".pki/nssdb" },
    { "Chrome and Chromium", ".local/share/pki/nssdb" }, /* Chromium 146 and later, where the other is not */
    { "Chromium (snap)", "snap/*/current/.pki/nssdb" },
    { "Chromium (snap)", "snap/*/current/.local/share/pki/nssdb" },
    { "Chromium (flatpak)", ".var/app/*/.pki/nssdb" },
    { "Chromium (flatpak)", ".var/app/*/data/pki/nssdb" },
    { "Firefox", ".mozilla/firefox/*" },
    { "Firefox", ".config/mozilla/firefox/*" },
    { "Firefox (snap)", "snap/firefox/common/.mozilla/firefox/*" },
    { "Firefox (flatpak)", ".var/app/org.mozilla.firefox/.mozilla/firefox/*" },
    { "Firefox (flatpak)", ".var/app/org.mozilla.firefox/config/mozilla/firefox/*" },
    { "LibreWolf", ".librewolf/*" },
};

/* In a database that we made; "1" when its parent folder is ours too. */
#define MADE_MARK "made-by-weir"

struct database {
    const char *dir;
    char *url;  /* sql:DIR, as certutil wants it */
    char *nick; /* the CA's name in it: from its key, so that it survives a renewal */
    const struct ca *ca;
};

/* What certutil's list of a database says. */
struct listing {
    bool is_empty;
    bool has_ca;
    bool is_trusted; /* for servers */
};

/* Runs certutil with an empty password. False with its last line in err when it fails. */
static bool certutil(const char *const argv[], struct strbuf *out_output, struct err *err)
{
    int status;

    if (!run_tool(argv, SPAN("\n"), out_output, &status, err)) {
        if (err->code == ERR_LIMIT)
            err_set(err, ERR_CERT, "the database has a master password");
        return false;
    }
    if (status != 0 && out_output->ptr != NULL && strstr(out_output->ptr, "SEC_ERROR_BAD_PASSWORD") != NULL)
        return err_set(err, ERR_CERT, "the database has a master password");
    if (status != 0) {
        struct span why = trust_last_line(strbuf_span(out_output));
        return err_set(err, ERR_CERT, "%.*s", SPAN_ARG(why));
    }
    return true;
}

#define CERTUTIL(output, err, ...)                                                                           \
    certutil((const char *const[]){ "certutil", __VA_ARGS__, NULL }, output, err)

static bool list(const struct database *db, struct listing *out_listing, struct err *err)
{
    struct strbuf output = STRBUF_EMPTY;
    struct listing listing = { .is_empty = true };
    bool ok = CERTUTIL(&output, err, "-L", "-d", db->url);
    struct span rest = strbuf_span(&output);
    struct span line;

    while (ok && span_split(&rest, '\n', &line)) {
        line = span_trim(line);
        /* Two lines of headings, and one without anything. */
        if (line.len == 0 || span_starts(line, SPAN("Certificate Nickname")) ||
            span_starts(line, SPAN("SSL,S/MIME")))
            continue;
        listing.is_empty = false;
        if (span_starts(line, span_of(db->nick))) {
            struct span flags = span_trim(span_from(line, strlen(db->nick))); /* "C,,": servers, mail, code */
            struct span for_servers = span_sub(flags, 0, span_find(flags, ','));
            listing.has_ca = true;
            listing.is_trusted = span_find(for_servers, 'C') < for_servers.len;
        }
    }
    strbuf_clear(&output);
    if (ok)
        *out_listing = listing;
    return ok;
}

/* Is what has our name in it our certificate, and not the one before its renewal? */
static bool is_same_cert(const struct database *db)
{
    struct strbuf output = STRBUF_EMPTY;
    X509 *cert = NULL;
    bool is_same = false;
    struct err err;

    if (CERTUTIL(&output, &err, "-L", "-d", db->url, "-n", db->nick, "-a") && output.len != 0) {
        BIO *bio = BIO_new_mem_buf(output.ptr, (int)output.len);
        cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        is_same = cert != NULL && X509_cmp(cert, ca_x509(db->ca)) == 0;
        BIO_free(bio);
        ERR_clear_error();
    }
    X509_free(cert);
    strbuf_clear(&output);
    return is_same;
}

static bool delete_cert(const struct database *db, struct err *err)
{
    struct strbuf output = STRBUF_EMPTY;
    bool ok = CERTUTIL(&output, err, "-D", "-d", db->url, "-n", db->nick, "-f", "/dev/stdin");

    strbuf_clear(&output);
    return ok;
}

static bool add_cert(const struct database *db, struct err *err)
{
    struct strbuf output = STRBUF_EMPTY;
    bool ok = CERTUTIL(&output, err, "-A", "-d", db->url, "-n", db->nick, "-t", "C,,", "-i",
                       ca_cert_path(db->ca), "-f", "/dev/stdin");
    struct err ignored; /* nothing to delete is what we want */

    if (!ok)
        (void)delete_cert(db, &ignored);
    strbuf_clear(&output);
    return ok;
}

static void install(const struct database *db, struct trust_entry *entry)
{
    struct listing listing;
    struct err err;
    char *url_word;
    char *nick_word;

    if (!list(db, &listing, &err)) {
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
        return;
    }
    if (listing.has_ca && listing.is_trusted && is_same_cert(db)) {
        trust_entry_end(entry, TRUST_ALREADY_THERE, "%s", "");
        return;
    }
    if ((listing.has_ca && !delete_cert(db, &err)) || !add_cert(db, &err)) {
        trust_entry_end(entry, TRUST_FAILED, "%s; import '%s' in the browser's settings instead", err.text,
                        ca_cert_path(db->ca));
        return;
    }
    url_word = trust_shell_word(db->url);
    nick_word = trust_shell_word(db->nick);
    trust_entry_end(entry, TRUST_ADDED, "a browser that is running notices when it starts again");
    trust_entry_set_undo(entry, "certutil -D -d %s -n %s", url_word, nick_word);
    mem_free(url_word);
    mem_free(nick_word);
}

/* --- a database of our own making --------------------------------------------------------------------------
 */

static void remove_file(const char *dir, const char *name)
{
    char *path = mem_printf("%s/%s", dir, name);

    (void)unlink(path); /* what can't be removed keeps the folder, and that is seen */
    mem_free(path);
}

static void remove_database(const char *dir, bool with_parent)
{
    static const char *const files[] = { "cert9.db", "key4.db", "pkcs11.txt", MADE_MARK };

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        remove_file(dir, files[i]);
    if (rmdir(dir) == 0 && with_parent) {
        char *parent = mem_spandup(span_make(dir, (size_t)(strrchr(dir, '/') - dir)));
        (void)rmdir(parent); /* stays when somebody else has put something there */
        mem_free(parent);
    }
}

/* An empty database at dir, which is not there, marked as ours. */
static bool make_database(const char *dir, struct err *err)
{
    char *parent = mem_spandup(span_make(dir, (size_t)(strrchr(dir, '/') - dir)));
    char *mark = mem_printf("%s/" MADE_MARK, dir);
    char *url = mem_printf("sql:%s", dir);
    bool is_parent_ours = !file_exists(parent);
    struct strbuf output = STRBUF_EMPTY;
    bool ok = file_make_dirs(dir, err) &&
              file_write(mark, 0600, is_parent_ours ? SPAN("1\n") : SPAN("0\n"), err) &&
              CERTUTIL(&output, err, "-N", "-d", url, "-f", "/dev/stdin");

    if (!ok)
        remove_database(dir, is_parent_ours);
    strbuf_clear(&output);
    mem_free(parent);
    mem_free(mark);
    mem_free(url);
    return ok;
}

static bool has_keys(const struct database *db)
{
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    /* certutil fails when there are none, and says so. */
    bool has = CERTUTIL(&output, &err, "-K", "-d", db->url, "-f", "/dev/stdin") || output.ptr == NULL ||
               strstr(output.ptr, "no keys found") == NULL;

    strbuf_clear(&output);
    return has;
}

/* Nobody has used the database that we made: it goes too. */
static void remove_if_ours(const struct database *db, bool is_empty, struct trust_entry *entry)
{
    char *mark = mem_printf("%s/" MADE_MARK, db->dir);
    struct file_content content = { NULL, 0, 0 };
    struct err err; /* no mark is the usual case */

    if (file_read(mark, 16, &content, &err)) {
        if (is_empty && !has_keys(db))
            remove_database(db->dir, content.bytes[0] == '1');
        else
            trust_entry_end(entry, entry->outcome,
                            "weir made this database, but others use it now: it stays");
    }
    file_content_clear(&content);
    mem_free(mark);
}

static void uninstall(const struct database *db, struct trust_entry *entry)
{
    struct listing listing;
    struct err err;

    if (!list(db, &listing, &err)) {
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
        return;
    }
    if (!listing.has_ca) {
        trust_entry_end(entry, TRUST_NOT_THERE, "%s", "");
    } else if (!delete_cert(db, &err) || !list(db, &listing, &err)) {
        trust_entry_end(entry, TRUST_FAILED, "%s", err.text);
        return;
    } else {
        trust_entry_end(entry, TRUST_REMOVED, "%s", "");
        trust_entry_set_undo(entry, "weir ca trust");
    }
    remove_if_ours(db, listing.is_empty, entry);
}

/* --- finding the databases ---------------------------------------------------------------------------------
 */

static void do_one(enum trust_action action, const struct ca *ca, const char *browser, const char *dir,
                   struct trust_report *report)
{
    struct database db = { .dir = dir, .ca = ca };
    struct trust_entry *entry = trust_report_add(report, browser, dir);

    db.url = mem_printf("sql:%s", dir);
    db.nick = mem_printf("weir CA %s", ca_id(ca));
    if (action == TRUST_INSTALL)
        install(&db, entry);
    else
        uninstall(&db, entry);
    mem_free(db.url);
    mem_free(db.nick);
}

/* home may have characters that mean something to glob. */
static void add_escaped(struct strbuf *pattern, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("*?[]\\", *text) != NULL)
            strbuf_add_char(pattern, '\\');
        strbuf_add_char(pattern, *text);
    }
}

static void do_place(enum trust_action action, const struct ca *ca, const char *home,
                     const struct place *place, struct trust_report *report)
{
    struct strbuf pattern = STRBUF_EMPTY;
    glob_t found = { 0 };

    add_escaped(&pattern, home);
    strbuf_printf(&pattern, "/%s/cert9.db", place->pattern);
    if (glob(strbuf_text(&pattern), 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++) {
            *strrchr(found.gl_pathv[i], '/') = '\0';
            do_one(action, ca, place->browser, found.gl_pathv[i], report);
        }
    }
    globfree(&found);
    strbuf_clear(&pattern);
}

/* A Chromium started later must find the CA too: it uses ~/.pki/nssdb, when that is there, before any other.
 * So where it has another already, making this one would hide that. */
static void make_missing_database(const char *home, struct trust_report *report)
{
    char *usual = mem_printf("%s/%s", home, places[0].pattern);
    char *later = mem_printf("%s/%s", home, places[1].pattern);
    struct err err;

    if (!file_exists(usual) && !file_exists(later) && !make_database(usual, &err))
        trust_entry_end(trust_report_add(report, places[0].browser, usual), TRUST_FAILED, "%s", err.text);
    mem_free(usual);
    mem_free(later);
}

static bool has_certutil(void)
{
    const char *const argv[] = { "certutil", "-H", NULL };
    struct strbuf output = STRBUF_EMPTY;
    struct err err;
    int status;
    bool has = run_tool(argv, SPAN_NONE, &output, &status, &err);

    strbuf_clear(&output);
    return has;
}

void trust_nss_do(enum trust_action action, const struct ca *ca, const struct trust_roots *roots,
                  struct trust_report *report)
{
    struct stat status;

    if (roots->home == NULL || stat(roots->home, &status) != 0) {
        trust_entry_end(trust_report_add(report, "browsers", roots->home != NULL ? roots->home : "$HOME"),
                        TRUST_SKIPPED, "there is no home folder");
        return;
    }
    if (status.st_uid != geteuid()) {
        /* Files of root in somebody's profile would lock the browser out of it. */
        trust_entry_end(trust_report_add(report, "browsers", roots->home), TRUST_SKIPPED,
                        "this home is another user's; run it again as that user, without sudo");
        return;
    }
    if (!has_certutil()) {
        trust_entry_end(
            trust_report_add(report, "browsers", roots->home), TRUST_SKIPPED,
            "certutil is missing; install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora) or nss "
            "(Arch) and run it again");
        return;
    }
    if (action == TRUST_INSTALL)
        make_missing_database(roots->home, report);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        do_place(action, ca, roots->home, &places[i], report);
}
