#include "proxy/tls/tls_keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proxy/base/log.h"
#include "proxy/base/mem.h"

struct tls_keylog {
    int fd;
    atomic_bool has_failed; /* said once */
};

bool tls_keylog_open(const char *path, struct tls_keylog **out_keylog, struct err *err)
{
    struct tls_keylog *keylog;
    struct stat status;
    /* O_NONBLOCK: opening a FIFO that somebody put there must not wait for a reader. */
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);

    if (fd < 0)
        return err_sys(err, errno, "opening the key log '%s'", path);
    if (fstat(fd, &status) != 0) {
        err_sys(err, errno, "looking at the key log '%s'", path);
        goto failed;
    }
    if (!S_ISREG(status.st_mode)) {
        err_set(err, ERR_LEAK, "the key log '%s' is no regular file", path);
        goto failed;
    }
    if (status.st_uid != geteuid()) {
        err_set(err, ERR_LEAK, "the key log '%s' is somebody else's file: take another name", path);
        goto failed;
    }
    if ((status.st_mode & 07777) != 0600 && fchmod(fd, 0600) != 0) {
        err_sys(err, errno, "keeping others from the key log '%s'", path);
        goto failed;
    }
    keylog = mem_new(struct tls_keylog);
    keylog->fd = fd;
    *out_keylog = keylog;
    return true;
failed:
    close(fd);
    return false;
}

void tls_keylog_close(struct tls_keylog *keylog)
{
    if (keylog == NULL)
        return;
    close(keylog->fd);
    mem_free(keylog);
}

static void write_line(const SSL *ssl, const char *line)
{
    struct tls_keylog *keylog = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct span text = span_of(line);
    const struct iovec parts[] = { { (void *)text.ptr, text.len }, { "\n", 1 } };

    if (writev(keylog->fd, parts, 2) != (ssize_t)text.len + 1 && !atomic_exchange(&keylog->has_failed, true))
        log_warn("tls", "the key log is incomplete", LOG_S("why", strerrordesc_np(errno)));
}

void tls_keylog_attach(struct tls_keylog *keylog, SSL_CTX *ctx)
{
    if (keylog == NULL)
        return;
    if (SSL_CTX_set_app_data(ctx, keylog) != 1)
        mem_die();
    SSL_CTX_set_keylog_callback(ctx, write_line);
}
