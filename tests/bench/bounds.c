/* bounds: how fast the pieces are that such a proxy is made of, on one core: keys, certificates, handshakes,
 * records, inserts. What a part of weir costs more than its piece here is weir's own.
 *
 *   taskset -c 1 bench_bounds FOLDER
 *
 * Prints rows of a Markdown table. FOLDER gets a database while that is measured: take one on the disk that
 * captures are on. A measurement takes a second of CPU time. */
#include <malloc.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proxy/base/clock.h"
#include "proxy/base/mem.h"

#define SECONDS 1.0

static double cpu_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_bounds: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void print_row(const char *what, double per_second, const char *note)
{
    printf("| %s | %.0f /s | %.1f µs | %s |\n", what, per_second, 1e6 / per_second, note);
    fflush(stdout);
}

/* Calls step(arg, n) with n = 0, 1, ... for a second: how often that went. */
static double rate_of(void (*step)(void *arg, int n), void *arg)
{
    double began = cpu_s();
    int n = 0;

    for (; cpu_s() - began < SECONDS; n++)
        step(arg, n);
    return n / (cpu_s() - began);
}

/* --- keys and certificates ----------------------------------------------------------------------------- */

struct minting {
    bool is_rsa;
    EVP_PKEY *key, *ca_key;
    X509_NAME *ca_name;
    X509 *leaf;
    unsigned char *leaf_der;
    int leaf_len;
    SSL_CTX *tls;
};

static const char *key_name(bool is_rsa)
{
    return is_rsa ? "RSA-2048" : "P-256";
}

static EVP_PKEY *new_key(bool is_rsa)
{
    EVP_PKEY *key = is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

    if (key == NULL)
        die("key");
    return key;
}

static X509_NAME *new_name(const char *text)
{
    X509_NAME *name = X509_NAME_new();

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)text, -1, -1, 0);
    return name;
}

static void add_extension(X509 *cert, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *mint(const char *host, EVP_PKEY *key, X509_NAME *issuer, EVP_PKEY *ca_key, bool is_ca)
{
    X509 *leaf = X509_new();
    uint64_t serial = 0;
    char names[300];

    RAND_bytes((unsigned char *)&serial, sizeof serial);
    X509_set_version(leaf, 2);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(leaf), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(leaf), -86400);
    X509_gmtime_adj(X509_getm_notAfter(leaf), 86400 * 30L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(leaf), "CN", MBSTRING_ASC, (const unsigned char *)host,
                               -1, -1, 0);
    X509_set_issuer_name(leaf, issuer);
    X509_set_pubkey(leaf, key);
    snprintf(names, sizeof names, "DNS:%s", host);
    add_extension(leaf, NID_subject_alt_name, names);
    if (is_ca)
        add_extension(leaf, NID_basic_constraints, "critical,CA:TRUE");
    if (X509_sign(leaf, ca_key, EVP_sha256()) == 0)
        die("sign");
    return leaf;
}

static void mint_step(void *arg, int n)
{
    struct minting *minting = arg;
    char host[64];

    snprintf(host, sizeof host, "h%d.test", n);
    X509_free(mint(host, minting->key, minting->ca_name, minting->ca_key, false));
}

static void read_step(void *arg, int n)
{
    struct minting *minting = arg;
    const unsigned char *at = minting->leaf_der;
    X509 *leaf = d2i_X509(NULL, &at, minting->leaf_len);

    (void)n;
    if (leaf == NULL || X509_get0_pubkey(leaf) == NULL)
        die("a certificate that can't be read");
    X509_free(leaf);
}

static void verify_step(void *arg, int n)
{
    struct minting *minting = arg;

    (void)n;
    if (X509_verify(minting->leaf, minting->ca_key) != 1)
        die("verify");
}

static void context_step(void *arg, int n)
{
    struct minting *minting = arg;
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

    (void)n;
    SSL_CTX_use_certificate(tls, minting->leaf);
    SSL_CTX_use_PrivateKey(tls, minting->key);
    SSL_CTX_free(tls);
}

static void ssl_step(void *arg, int n)
{
    struct minting *minting = arg;
    SSL *ssl = SSL_new(minting->tls);

    (void)n;
    SSL_use_certificate(ssl, minting->leaf);
    SSL_use_PrivateKey(ssl, minting->key);
    SSL_free(ssl);
}

static void key_step(void *arg, int n)
{
    struct minting *minting = arg;

    (void)n;
    EVP_PKEY_free(new_key(minting->is_rsa));
}

static void measure_minting(bool is_rsa)
{
    static const struct {
        const char *what, *note;
        void (*step)(void *arg, int n);
    } steps[] = { { "mint a leaf", "shared leaf key: one signature each", mint_step },
                  { "read a leaf", "as a client does: OpenSSL 3 sets its decoders up for the key",
                    read_step },
                  { "verify its signature", "by the CA's key", verify_step },
                  { "an SSL_CTX for it", "SSL_CTX_new and its certificate and key", context_step },
                  { "an SSL for it", "one SSL_CTX; SSL_new and its certificate and key", ssl_step },
                  { "generate a key", "", key_step } };
    struct minting minting = { .is_rsa = is_rsa,
                               .key = new_key(is_rsa),
                               .ca_key = new_key(is_rsa),
                               .ca_name = new_name("ca"),
                               .tls = SSL_CTX_new(TLS_server_method()) };
    char what[80];

    minting.leaf = mint("h0.test", minting.key, minting.ca_name, minting.ca_key, false);
    minting.leaf_len = i2d_X509(minting.leaf, &minting.leaf_der);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        snprintf(what, sizeof what, "%s, %s", steps[i].what, key_name(is_rsa));
        print_row(what, rate_of(steps[i].step, &minting), steps[i].note);
    }
    SSL_CTX_free(minting.tls);
    X509_free(minting.leaf);
    OPENSSL_free(minting.leaf_der);
    X509_NAME_free(minting.ca_name);
    EVP_PKEY_free(minting.key);
    EVP_PKEY_free(minting.ca_key);
}

/* --- handshakes, without sockets ----------------------------------------------------------------------- */

struct handshaking {
    bool is_rsa, resumes;
    int version;
    SSL_CTX *server, *client;
    int count;                 /* of handshakes so far */
    double server_s, client_s; /* the CPU time they took */
};

static SSL_SESSION *kept;

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(kept);
    kept = session;
    return 1;
}

static void connect_pair(const struct handshaking *it, SSL **out_server, SSL **out_client)
{
    BIO *a, *b;

    BIO_new_bio_pair(&a, 0, &b, 0);
    *out_server = SSL_new(it->server);
    *out_client = SSL_new(it->client);
    SSL_set_bio(*out_server, a, a);
    SSL_set_bio(*out_client, b, b);
    SSL_set_accept_state(*out_server);
    SSL_set_connect_state(*out_client);
    SSL_set1_host(*out_client, "h0.test");
    SSL_set_tlsext_host_name(*out_client, "h0.test");
}

static void handshake(struct handshaking *it, SSL *server, SSL *client)
{
    int server_done = 0, client_done = 0;
    double began;
    char byte;

    for (int i = 0; (server_done != 1 || client_done != 1) && i < 20; i++) {
        began = cpu_s();
        client_done = SSL_do_handshake(client);
        it->client_s += cpu_s() - began;
        began = cpu_s();
        server_done = SSL_do_handshake(server);
        it->server_s += cpu_s() - began;
    }
    if (server_done != 1 || client_done != 1)
        die("handshake");
    began = cpu_s();
    SSL_read(client, &byte, 1); /* takes the session tickets */
    it->client_s += cpu_s() - began;
    it->count++;
}

static void handshake_step(void *arg, int n)
{
    struct handshaking *it = arg;
    SSL *server, *client;

    connect_pair(it, &server, &client);
    if (it->resumes && kept != NULL)
        SSL_set_session(client, kept);
    handshake(it, server, client);
    if (it->resumes && n > 0 && !SSL_session_reused(client))
        die("not resumed");
    SSL_shutdown(client); /* else its session may not be resumed */
    SSL_free(server);
    SSL_free(client);
}

/* Both contexts: a server with a certificate that a CA has signed, a client that trusts the CA. */
static void handshaking_init(struct handshaking *it)
{
    EVP_PKEY *key = new_key(it->is_rsa), *ca_key = new_key(it->is_rsa);
    X509_NAME *ca_name = new_name("ca.test");
    X509 *ca = mint("ca.test", ca_key, ca_name, ca_key, true);
    X509 *leaf = mint("h0.test", key, ca_name, ca_key, false);

    it->server = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(it->server, leaf);
    SSL_CTX_use_PrivateKey(it->server, key);
    SSL_CTX_set_session_cache_mode(it->server, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(it->server, SSL_MODE_RELEASE_BUFFERS);
    it->client = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(it->client, SSL_VERIFY_PEER, NULL);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(it->client), ca);
    SSL_CTX_set_max_proto_version(it->client, it->version);
    SSL_CTX_set_session_cache_mode(it->client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(it->client, keep_session);
    X509_free(leaf);
    X509_free(ca);
    X509_NAME_free(ca_name);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

static void measure_memory(struct handshaking *it)
{
    enum { PAIRS = 500 };
    static SSL *servers[PAIRS], *clients[PAIRS];
    size_t before = mallinfo2().uordblks;

    for (int i = 0; i < PAIRS; i++) {
        connect_pair(it, &servers[i], &clients[i]);
        handshake(it, servers[i], clients[i]);
    }
    printf(
        "| memory of an idle TLS pair, %s | | | %.1f KiB, of which 2 x 17 KiB are the BIOs of this test |\n",
        key_name(it->is_rsa), (double)(mallinfo2().uordblks - before) / PAIRS / 1024);
    for (int i = 0; i < PAIRS; i++) {
        SSL_free(servers[i]);
        SSL_free(clients[i]);
    }
}

static void measure_handshake(bool is_rsa, int version, bool resumes)
{
    struct handshaking it = { .is_rsa = is_rsa, .version = version, .resumes = resumes };
    char what[80];

    handshaking_init(&it);
    rate_of(handshake_step, &it);
    snprintf(what, sizeof what, "%s TLS %s handshake, %s", resumes ? "resumed" : "full",
             version == TLS1_3_VERSION ? "1.3" : "1.2", key_name(is_rsa));
    print_row(what, it.count / it.server_s, "the server's side, without sockets");
    print_row(what, it.count / it.client_s,
              resumes ? "the client's side: no certificate to verify"
                      : "the client's side, with verification");
    if (!resumes && version == TLS1_3_VERSION)
        measure_memory(&it);
    SSL_SESSION_free(kept);
    kept = NULL;
    SSL_CTX_free(it.server);
    SSL_CTX_free(it.client);
}

/* --- records ------------------------------------------------------------------------------------------- */

struct sealing {
    EVP_CIPHER_CTX *cipher;
    int bytes;
};

static void seal_step(void *arg, int n)
{
    static unsigned char in[16384], out[16384 + 16], iv[12], tag[16];
    const struct sealing *sealing = arg;
    int len;

    (void)n;
    EVP_EncryptInit_ex(sealing->cipher, NULL, NULL, NULL, iv);
    EVP_EncryptUpdate(sealing->cipher, out, &len, in, sealing->bytes);
    EVP_EncryptFinal_ex(sealing->cipher, out + len, &len);
    EVP_CIPHER_CTX_ctrl(sealing->cipher, EVP_CTRL_AEAD_GET_TAG, sizeof tag, tag);
}

static void measure_sealing(const EVP_CIPHER *cipher, const char *name, int bytes)
{
    static const unsigned char key[32], iv[12];
    struct sealing sealing = { EVP_CIPHER_CTX_new(), bytes };
    char what[80], note[80];
    double rate;

    EVP_EncryptInit_ex(sealing.cipher, cipher, NULL, key, iv);
    rate = rate_of(seal_step, &sealing);
    snprintf(what, sizeof what, "%s, %d byte records", name, bytes);
    snprintf(note, sizeof note, "%.0f MB/s, one direction of one side", rate * bytes / 1e6);
    print_row(what, rate, note);
    EVP_CIPHER_CTX_free(sealing.cipher);
}

/* --- SQLite -------------------------------------------------------------------------------------------- */

struct inserting {
    int page, blob, batch;
    bool has_index;
};

static void run_sql(sqlite3 *db, const char *text)
{
    if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
}

static void remove_database(const char *path)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *file = mem_printf("%s%s", path, suffixes[i]);
        unlink(file);
        mem_free(file);
    }
}

static sqlite3 *open_database(const char *path, const struct inserting *it)
{
    char *page = mem_printf("PRAGMA page_size=%d", it->page);
    sqlite3 *db;

    remove_database(path);
    if (sqlite3_open(path, &db) != SQLITE_OK)
        die("sqlite3_open");
    run_sql(db, page);
    run_sql(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL");
    run_sql(db, "CREATE TABLE exchange(id INTEGER PRIMARY KEY, began INTEGER, took INTEGER, host TEXT,"
                " path TEXT, method TEXT, status INTEGER, bytes BLOB)");
    if (it->has_index)
        run_sql(db, "CREATE INDEX by_host ON exchange(host, began)");
    mem_free(page);
    return db;
}

static void insert(sqlite3 *db, sqlite3_stmt *statement, int n, const unsigned char *bytes, int len)
{
    char host[32];

    snprintf(host, sizeof host, "h%d.test", n % 200);
    sqlite3_bind_int64(statement, 1, 1700000000000000 + n);
    sqlite3_bind_int64(statement, 2, n % 5000);
    sqlite3_bind_text(statement, 3, host, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, "/api/v1/items?page=12", -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 5, bytes, len, SQLITE_STATIC);
    if (sqlite3_step(statement) != SQLITE_DONE)
        die(sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

/* Inserts for two seconds of CPU time, 2 GB at most; how many rows. */
static int insert_all(sqlite3 *db, const struct inserting *it)
{
    unsigned char *bytes = mem_alloc((size_t)it->blob);
    long limit = 2000000000L / it->blob;
    double began = cpu_s();
    sqlite3_stmt *statement;
    int n = 0;

    RAND_bytes(bytes, it->blob);
    if (sqlite3_prepare_v2(db,
                           "INSERT INTO exchange(began, took, host, path, method, status, bytes)"
                           " VALUES(?, ?, ?, ?, 'GET', 200, ?)",
                           -1, &statement, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    while (cpu_s() - began < 2 * SECONDS && n < limit) {
        run_sql(db, "BEGIN");
        for (int i = 0; i < it->batch; i++)
            insert(db, statement, n++, bytes, it->blob);
        run_sql(db, "COMMIT");
    }
    sqlite3_finalize(statement);
    mem_free(bytes);
    return n;
}

/* Rows of a host, a path, times and a blob. */
static void measure_inserting(const char *folder, const struct inserting *it)
{
    char *path = mem_printf("%s/bounds.db", folder);
    sqlite3 *db = open_database(path, it);
    uint64_t began_us = clock_mono_us();
    double began = cpu_s();
    int rows = insert_all(db, it);
    double used_s = cpu_s() - began, took_s = (double)(clock_mono_us() - began_us) / 1e6;
    char what[120], note[100];

    snprintf(what, sizeof what, "SQLite insert, %d byte blob, %d a transaction, pages of %d%s", it->blob,
             it->batch, it->page, it->has_index ? ", one index" : "");
    snprintf(note, sizeof note, "by the clock %.0f rows/s, %.0f MB/s", rows / took_s,
             (double)rows * it->blob / took_s / 1e6);
    print_row(what, rows / used_s, note);
    sqlite3_close(db);
    remove_database(path);
    mem_free(path);
}

int main(int count, char **arguments)
{
    static const struct inserting insertings[] = {
        { 4096, 2048, 1, false },     { 4096, 2048, 100, false },  { 4096, 2048, 1000, false },
        { 16384, 2048, 1000, false }, { 16384, 2048, 1000, true }, { 4096, 18432, 200, false },
        { 16384, 18432, 200, false }, { 4096, 262144, 16, false }, { 16384, 262144, 16, false },
    };

    if (count != 2) {
        fputs("usage: bench_bounds FOLDER\n", stderr);
        return 2;
    }
    puts("| piece | rate on one core | CPU each | note |\n| --- | --- | --- | --- |");
    measure_minting(false);
    measure_minting(true);
    measure_handshake(false, TLS1_3_VERSION, false);
    measure_handshake(false, TLS1_3_VERSION, true);
    measure_handshake(true, TLS1_3_VERSION, false);
    measure_handshake(false, TLS1_2_VERSION, false);
    measure_sealing(EVP_aes_128_gcm(), "AES-128-GCM", 1280);
    measure_sealing(EVP_aes_256_gcm(), "AES-256-GCM", 1280);
    measure_sealing(EVP_aes_256_gcm(), "AES-256-GCM", 16384);
    measure_sealing(EVP_chacha20_poly1305(), "ChaCha20-Poly1305", 16384);
    for (size_t i = 0; i < sizeof insertings / sizeof insertings[0]; i++)
        measure_inserting(arguments[1], &insertings[i]);
    return 0;
}
