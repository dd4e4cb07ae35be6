/* libpsl and libidn2, and nothing of either seen outside. */
#include "capture/suffix.h"

#include <idn2.h>
#include <libpsl.h>
#include <pthread.h>
#include <stdlib.h>

#include "proxy/base/mem.h"
#include "proxy/http/url.h"

static pthread_once_t list_once = PTHREAD_ONCE_INIT;
static psl_ctx_t *list;

static void list_free(void)
{
    psl_free(list);
    list = NULL;
}

static void list_open(void)
{
    list = psl_latest(NULL);
    if (list != NULL)
        atexit(list_free);
}

bool suffix_is_public(const char *name)
{
    pthread_once(&list_once, list_open);
    /* Without a list every single label is one: never hand a whole top level domain to one host. */
    return list != NULL ? psl_is_public_suffix(list, name) == 1 : strchr(name, '.') == NULL;
}

bool suffix_same_site(const char *host, const char *other)
{
    const char *registrable, *other_registrable;

    if (strcmp(host, other) == 0)
        return true;
    if (url_host_is_ip(host) || url_host_is_ip(other))
        return false;
    pthread_once(&list_once, list_open);
    if (list == NULL)
        return false;
    registrable = psl_registrable_domain(list, host);
    other_registrable = psl_registrable_domain(list, other);
    return registrable != NULL && other_registrable != NULL && strcmp(registrable, other_registrable) == 0;
}

const char *suffix_site(const char *host)
{
    const char *registrable;

    if (url_host_is_ip(host))
        return host;
    pthread_once(&list_once, list_open);
    registrable = list != NULL ? psl_registrable_domain(list, host) : NULL;
    return registrable != NULL ? registrable : host;
}

char *suffix_canonical_host(struct span host)
{
    char *name, *ascii = NULL, *result;
    bool is_ascii = true;

    if (host.len == 0 || memchr(host.ptr, '\0', host.len) != NULL)
        return NULL;
    name = mem_spandup(host);
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        is_ascii = is_ascii && (unsigned char)*c < 0x80;
    }
    if (is_ascii)
        return name;
    if (idn2_lookup_u8((const uint8_t *)name, (uint8_t **)&ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) !=
        IDN2_OK) {
        mem_free(name);
        return NULL;
    }
    result = mem_strdup(ascii);
    idn2_free(ascii);
    mem_free(name);
    return result;
}
