#!/usr/bin/env bash
# layers.sh: who may include whom. Includes are written from the repository root, so each line shows its direction; this
# holds every one of them, and where each library may be used, against the tables below.
set -euo pipefail
cd "$(dirname "$0")/.."

# folder: the folders of ours that its files may include besides their own.
declare -A may=(
    [proxy/base]=""
    [certs]="proxy/base"
    [proxy/http]="proxy/base"
    [proxy/net]="proxy/base"
    [proxy/tls]="proxy/base proxy/http certs"
    [proxy/exchange]="proxy/base proxy/http"
    [proxy/mode]="proxy/base proxy/http proxy/exchange"
    [proxy/live]="proxy/base proxy/http proxy/net proxy/tls proxy/exchange proxy/mode certs"
    [capture]="proxy/base proxy/http proxy/exchange/tap.h proxy/net/mailbox.h capture/store"
    [capture/store]="proxy/base proxy/http proxy/exchange/tap.h capture"
    [capture/export]="proxy/base proxy/http proxy/exchange/tap.h capture capture/store/store.h"
    [capture/import]="proxy/base proxy/http proxy/exchange/tap.h capture capture/store"
    [tools]="proxy/base proxy/http proxy/net proxy/exchange proxy/live certs capture capture/store/store.h capture/store capture/export capture/import"
)
# library's header: the folders that may use it. What is not here is the C library's, or everybody's.
declare -A home=(
    [event2/event.h]="proxy/net proxy/live"
    [openssl/]="certs proxy/tls capture/export"
    [sqlite3.h]="capture/store"
    [ares.h]="proxy/net"
    [nghttp2/]="proxy/http"
    [llhttp.h]="proxy/http"
    [zlib.h]="proxy/http capture/import"
    [brotli/]="proxy/http capture/import"
    [zstd.h]="proxy/http capture/import"
    [pcre2.h]="proxy/base"
    [libpsl.h]="capture"
    [qrencode.h]="tools"
)

faults=0
complain() {
    echo "layers: $1"
    faults=$((faults + 1))
}

for folder in "${!may[@]}"; do
    for file in "$folder"/*.[ch]; do
        [ -e "$file" ] || continue
        while read -r include; do
            from=${include%/*}
            [ "$from" = "$folder" ] && continue
            ok=no
            for allowed in ${may[$folder]}; do
                { [ "$from" = "$allowed" ] || [ "$include" = "$allowed" ]; } && ok=yes
            done
            [ $ok = yes ] || complain "$file may not include \"$include\""
        done < <(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file")
        while read -r include; do
            for library in "${!home[@]}"; do
                case $include in
                "$library"*) ;;
                *) continue ;;
                esac
                case " ${home[$library]} " in
                *" $folder "*) ;;
                *) complain "$file may not use <$include>: only ${home[$library]}" ;;
                esac
            done
        done < <(sed -n 's/^#include <\([^>]*\)>.*/\1/p' "$file")
    done
done
[ $faults -eq 0 ] || exit 1
echo "layers: every include points down"
