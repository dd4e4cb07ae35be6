#include "proxy/tls/tls_bio.h"

#include <pthread.h>
#include <string.h>

#include <event2/buffer.h>

#include "proxy/base/mem.h"

static pthread_once_t method_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *method; /* one for all connections, never freed */

static int read_wire(BIO *bio, char *out, size_t len, size_t *out_len)
{
    struct tls_wire *wire = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (wire->in.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *out_len = len < wire->in.len ? len : wire->in.len;
    memcpy(out, wire->in.ptr, *out_len);
    wire->in = span_from(wire->in, *out_len);
    return 1;
}

static int write_wire(BIO *bio, const char *bytes, size_t len, size_t *out_len)
{
    struct tls_wire *wire = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    if (evbuffer_add(wire->out, bytes, len) != 0)
        return 0;
    *out_len = len;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static int create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "weir stream");
    if (method == NULL)
        mem_die();
    BIO_meth_set_read_ex(method, read_wire);
    BIO_meth_set_write_ex(method, write_wire);
    BIO_meth_set_ctrl(method, control);
    BIO_meth_set_create(method, create);
}

BIO *tls_bio_new(struct tls_wire *wire)
{
    BIO *bio;

    pthread_once(&method_once, make_method);
    bio = BIO_new(method);
    if (bio == NULL)
        mem_die();
    BIO_set_data(bio, wire);
    return bio;
}
