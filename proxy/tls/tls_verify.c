#include "proxy/tls/tls_verify.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "proxy/base/mem.h"
#include "proxy/base/strbuf.h"

/* Names come from strangers: long enough to recognise one, short enough for a line. */
#define NAME_BYTES 80

struct tls_roots {
    X509_STORE *store;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* one of these three */
    bool is_wanted, is_abandoned;
    atomic_bool is_loaded; /* set under lock, read without */
};

/* Reading them takes 60 ms of a core: not those in which weir starts, unless somebody needs them already. */
#define LOAD_AFTER_MS 100

static bool add_file(X509_STORE *store, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    unsigned count = 0;
    unsigned long code;
    X509 *cert;

    if (file == NULL)
        return err_set(err, ERR_USAGE, "the roots '%s' can't be read: %s", path, strerrordesc_np(errno));
    while ((cert = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        X509_STORE_add_cert(store, cert); /* twice is fine */
        X509_free(cert);
        count++;
    }
    fclose(file);
    code = ERR_peek_last_error();
    ERR_clear_error();
    if (ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE)
        return err_set(err, ERR_USAGE, "certificate %u of '%s' is damaged", count + 1, path);
    if (count == 0)
        return err_set(err, ERR_USAGE, "'%s' holds no certificate in PEM form", path);
    return true;
}

static void load_system_roots(struct tls_roots *roots)
{
    /* A system without roots is no error here: each verification will say what is missing. */
    X509_STORE_set_default_paths(roots->store);
    ERR_clear_error();
    pthread_mutex_lock(&roots->lock);
    atomic_store(&roots->is_loaded, true);
    pthread_cond_broadcast(&roots->changed);
    pthread_mutex_unlock(&roots->lock);
}

/* False: nobody will need them. */
static bool wait_until_wanted(struct tls_roots *roots)
{
    struct timespec until;
    bool is_over = false;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOAD_AFTER_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&roots->lock);
    while (!roots->is_wanted && !roots->is_abandoned && !is_over)
        is_over = pthread_cond_timedwait(&roots->changed, &roots->lock, &until) != 0;
    is_over = roots->is_abandoned;
    pthread_mutex_unlock(&roots->lock);
    return !is_over;
}

static void *load_soon(void *arg)
{
    struct tls_roots *roots = arg;

    if (wait_until_wanted(roots))
        load_system_roots(roots);
    return NULL;
}

bool tls_roots_new(const char *upstream_ca, struct tls_roots **out_roots, struct err *err)
{
    struct tls_roots *roots = mem_new(struct tls_roots);
    pthread_condattr_t attr;

    pthread_mutex_init(&roots->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&roots->changed, &attr);
    pthread_condattr_destroy(&attr);
    roots->store = X509_STORE_new();
    if (roots->store == NULL)
        mem_die();
    if (upstream_ca != NULL && !add_file(roots->store, upstream_ca, err)) {
        tls_roots_free(roots);
        return false;
    }
    roots->has_thread = pthread_create(&roots->thread, NULL, load_soon, roots) == 0;
    if (!roots->has_thread)
        load_system_roots(roots);
    *out_roots = roots;
    return true;
}

void tls_roots_free(struct tls_roots *roots)
{
    if (roots == NULL)
        return;
    if (roots->has_thread) {
        pthread_mutex_lock(&roots->lock);
        roots->is_abandoned = true;
        pthread_cond_broadcast(&roots->changed);
        pthread_mutex_unlock(&roots->lock);
        pthread_join(roots->thread, NULL);
    }
    X509_STORE_free(roots->store);
    pthread_cond_destroy(&roots->changed);
    pthread_mutex_destroy(&roots->lock);
    mem_free(roots);
}

X509_STORE *tls_roots_store(struct tls_roots *roots)
{
    return roots->store;
}

void tls_roots_want(struct tls_roots *roots)
{
    if (atomic_load(&roots->is_loaded))
        return;
    pthread_mutex_lock(&roots->lock);
    roots->is_wanted = true;
    pthread_cond_broadcast(&roots->changed);
    pthread_mutex_unlock(&roots->lock);
}

void tls_roots_wait(struct tls_roots *roots)
{
    tls_roots_want(roots);
    if (atomic_load(&roots->is_loaded))
        return;
    pthread_mutex_lock(&roots->lock);
    while (!atomic_load(&roots->is_loaded))
        pthread_cond_wait(&roots->changed, &roots->lock);
    pthread_mutex_unlock(&roots->lock);
}

/* At most NAME_BYTES - 1 characters of name, those that may not go to a terminal replaced. */
static void print_name(struct span name, char out[NAME_BYTES])
{
    size_t len = name.len < NAME_BYTES ? name.len : NAME_BYTES - 1;

    for (size_t i = 0; i < len; i++)
        out[i] = name.ptr[i] >= ' ' && name.ptr[i] <= '~' ? name.ptr[i] : '?';
    out[len] = '\0';
    if (name.len >= NAME_BYTES)
        memcpy(out + NAME_BYTES - 4, "...", 4);
}

/* What an authority goes by: its common name, else its organization. */
static void print_authority(const X509_NAME *name, char out[NAME_BYTES])
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    const ASN1_STRING *text;

    if (at < 0)
        at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1);
    if (at < 0) {
        print_name(SPAN("without a name"), out);
        return;
    }
    text = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    print_name(span_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), out);
}

static void print_day(const ASN1_TIME *time, char out[NAME_BYTES])
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1 || strftime(out, NAME_BYTES, "%Y-%m-%d", &tm) == 0)
        print_name(SPAN("a day that is none"), out);
}

static bool print_alt_name(const GENERAL_NAME *name, char out[NAME_BYTES])
{
    struct span value;

    if (name->type != GEN_DNS && name->type != GEN_IPADD)
        return false;
    value = span_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
    if (name->type == GEN_DNS) {
        print_name(value, out);
        return true;
    }
    return (value.len == 4 || value.len == 16) &&
           inet_ntop(value.len == 4 ? AF_INET : AF_INET6, value.ptr, out, NAME_BYTES) != NULL;
}

/* "certificate is for 'a', 'b' and 3 more, not 'host'" */
static void say_other_host(struct strbuf *why, X509 *cert, const char *host)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    char name[NAME_BYTES];
    unsigned count = 0;

    strbuf_add_str(why, "certificate is for ");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!print_alt_name(sk_GENERAL_NAME_value(names, i), name))
            continue;
        if (count++ < 2)
            strbuf_printf(why, "%s'%s'", count > 1 ? ", " : "", name);
    }
    if (count == 0)
        strbuf_add_str(why, "no host");
    if (count > 2)
        strbuf_printf(why, " and %u more", count - 2);
    strbuf_printf(why, ", not '%s'", host);
    GENERAL_NAMES_free(names);
}

static void say_dates(struct strbuf *why, X509 *cert, int depth, const char *host, bool has_expired)
{
    char day[NAME_BYTES], name[NAME_BYTES];

    print_day(has_expired ? X509_get0_notAfter(cert) : X509_get0_notBefore(cert), day);
    if (depth > 0) {
        print_authority(X509_get_subject_name(cert), name);
        strbuf_printf(why, "certificate of '%s' can't be trusted: the one of its issuer '%s' ", host, name);
    } else {
        strbuf_printf(why, "certificate of '%s' ", host);
    }
    if (has_expired)
        strbuf_printf(why, "has expired (on %s)", day);
    else
        strbuf_printf(why, "is not valid before %s", day);
}

char *tls_verify_why(X509_STORE_CTX *verified, const char *host)
{
    X509 *cert = X509_STORE_CTX_get_current_cert(verified);
    X509 *leaf = X509_STORE_CTX_get0_cert(verified);
    int code = X509_STORE_CTX_get_error(verified);
    int depth = X509_STORE_CTX_get_error_depth(verified);
    char name[NAME_BYTES];
    struct strbuf why;

    strbuf_init(&why, 0);
    if (cert == NULL) {
        cert = leaf;
        depth = 0;
    }
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        say_dates(&why, cert, depth, host, code == X509_V_ERR_CERT_HAS_EXPIRED);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        say_other_host(&why, leaf, host);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        strbuf_printf(
            &why, "certificate of '%s' is self-signed and not trusted here; add it by --upstream-ca", host);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        print_authority(X509_get_issuer_name(cert), name);
        strbuf_printf(&why,
                      "certificate of '%s' is not signed by a root that is trusted here (issuer '%s'); "
                      "add it by --upstream-ca",
                      host, name);
        break;
    default:
        strbuf_printf(&why, "certificate of '%s' is not accepted: %s", host,
                      X509_verify_cert_error_string(code));
    }
    return strbuf_detach(&why);
}
