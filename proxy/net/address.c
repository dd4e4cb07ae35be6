#include "proxy/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

bool address_parse(const char *text, uint16_t port, struct address *out_address)
{
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char bare[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
    size_t len = strlen(text);

    if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len == 0 || len >= sizeof bare)
        return false;
    memcpy(bare, text, len);
    bare[len] = '\0';
    if (getaddrinfo(bare, NULL, &hints, &found) != 0)
        return false;
    *out_address = (struct address){ .len = found->ai_addrlen };
    memcpy(&out_address->sa, found->ai_addr, found->ai_addrlen);
    address_set_port(out_address, port);
    freeaddrinfo(found);
    return true;
}

static void format_v6(const struct sockaddr_in6 *sa, char *out, size_t out_size)
{
    char ip[INET6_ADDRSTRLEN], scope[IF_NAMESIZE];

    inet_ntop(AF_INET6, &sa->sin6_addr, ip, sizeof ip);
    if (sa->sin6_scope_id == 0)
        snprintf(out, out_size, "[%s]:%u", ip, ntohs(sa->sin6_port));
    else if (if_indextoname(sa->sin6_scope_id, scope) != NULL)
        snprintf(out, out_size, "[%s%%%s]:%u", ip, scope, ntohs(sa->sin6_port));
    else
        snprintf(out, out_size, "[%s%%%u]:%u", ip, (unsigned)sa->sin6_scope_id, ntohs(sa->sin6_port));
}

void address_format(const struct address *address, char *out, size_t out_size)
{
    char ip[INET_ADDRSTRLEN];

    if (address->len != 0 && address->sa.ss_family == AF_INET) {
        const struct sockaddr_in *sa = (const struct sockaddr_in *)&address->sa;
        inet_ntop(AF_INET, &sa->sin_addr, ip, sizeof ip);
        snprintf(out, out_size, "%s:%u", ip, ntohs(sa->sin_port));
    } else if (address->len != 0 && address->sa.ss_family == AF_INET6) {
        format_v6((const struct sockaddr_in6 *)&address->sa, out, out_size);
    } else {
        snprintf(out, out_size, "?");
    }
}

uint16_t address_port(const struct address *address)
{
    if (address->sa.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->sa)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->sa)->sin_port);
}

void address_set_port(struct address *address, uint16_t port)
{
    if (address->sa.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&address->sa)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&address->sa)->sin_port = htons(port);
}
