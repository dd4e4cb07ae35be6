# setup.sh: what weir needs on this machine, installed where it is missing. Sourced by start and test.
#
# It looks for commands and libraries, not for packages: what came from elsewhere is left alone. On Debian and Ubuntu it installs
# with apt-get, as root or with sudo; on other systems it names what is missing. Twice in a row changes nothing.

setup_missing=() # Debian packages

setup_command() { # COMMAND PACKAGE
    command -v "$1" >/dev/null 2>&1 || setup_missing+=("$2")
}

setup_library() { # PKG-CONFIG-NAME PACKAGE
    pkg-config --exists "$1" 2>/dev/null || setup_missing+=("$2")
}

setup_header() { # FILE PACKAGE
    [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ] || setup_missing+=("$2")
}

setup_find_build() {
    setup_command cc gcc
    setup_command cmake cmake
    setup_command make make
    setup_command pkg-config pkg-config
    setup_library libevent_core libevent-dev
    setup_library libcares libc-ares-dev
    setup_library openssl libssl-dev
    setup_library libnghttp2 libnghttp2-dev
    setup_library sqlite3 libsqlite3-dev
    setup_library zlib zlib1g-dev
    setup_library libbrotlidec libbrotli-dev
    setup_library libzstd libzstd-dev
    setup_library jansson libjansson-dev
    setup_library libpcre2-8 libpcre2-dev
    setup_library libpsl libpsl-dev
    setup_library libidn2 libidn2-dev
    setup_library libxxhash libxxhash-dev
    setup_library libqrencode libqrencode-dev
    setup_header uthash.h uthash-dev
    [ -e /usr/share/llhttp/llhttp.c ] || [ -e /usr/include/llhttp.h ] || setup_missing+=(node-llhttp)
    command -v certutil >/dev/null 2>&1 || setup_missing+=(libnss3-tools)
}

setup_find_test() {
    setup_library cmocka libcmocka-dev
    setup_command clang clang
    setup_command curl curl
    setup_command git git
    setup_command nghttp nghttp2-client
    setup_command nginx nginx
    setup_command openssl openssl
    setup_command tinyproxy tinyproxy-bin
    setup_command squid squid
    setup_command python3 python3
    setup_command protoc protobuf-compiler
    setup_command javac default-jdk-headless
    setup_command sqlite3 sqlite3
    setup_command ip iproute2
    setup_command unshare util-linux
    setup_command nft nftables
    setup_command mandoc mandoc
    setup_command zsh zsh
    setup_command node nodejs
    setup_command npm npm # a Node.js from elsewhere brings its own
    # Another Python may hide the system's, which is the one that the package is for.
    python3 -c 'import requests' 2>/dev/null || /usr/bin/python3 -c 'import requests' 2>/dev/null ||
        setup_missing+=(python3 python3-requests)
    command -v chromium >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1 || setup_missing+=(chromium)
    # Ubuntu has no other Firefox than the newest.
    command -v firefox >/dev/null 2>&1 || command -v firefox-esr >/dev/null 2>&1 ||
        setup_missing+=("$(grep -q '^ID=ubuntu' /etc/os-release 2>/dev/null && echo firefox || echo firefox-esr)")
}

setup_as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        echo "weir: this needs root, and there is no sudo: $*" >&2
        return 1
    fi
}

setup_install() {
    [ ${#setup_missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "weir: please install what these Debian packages hold, by the names they have here: ${setup_missing[*]}" >&2
        return 1
    fi
    echo "weir: installing ${setup_missing[*]}" >&2
    setup_as_root apt-get update -q >&2 || true
    setup_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${setup_missing[@]}" >&2
}

# clang's runtime for sanitizers and fuzzing is a package with clang's version in its name.
setup_install_clang_runtime() {
    local version
    [ -e "$(clang -print-file-name=libclang_rt.fuzzer-"$(uname -m)".a 2>/dev/null)" ] && return 0
    version=$(clang -dumpversion | cut -d. -f1)
    setup_missing=("libclang-rt-$version-dev")
    setup_install
}

setup_build() {
    setup_missing=()
    setup_find_build
    setup_install
}

setup_test() {
    setup_missing=()
    setup_find_build
    setup_find_test
    setup_install && setup_install_clang_runtime
}

# The Node.js that runs the tests: the system's, or, where that is older than 20 (Debian 12's is), the one among the tests' packages.
setup_node() {
    local machine
    if [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]; then
        command -v node
        return
    fi
    case $(uname -m) in
    aarch64) machine=arm64 ;;
    *) machine=x64 ;;
    esac
    echo "$setup_root/tests/node_modules/node-linux-$machine/bin/node"
}

# setup_compile PRESET [TARGET...]: configured and built; silent unless it fails.
setup_compile() {
    local preset=$1 log
    shift
    log=$(mktemp)
    if ! { cmake --preset "$preset" -S "$setup_root" && cmake --build "$setup_root/build/$preset" -j "$(nproc)" ${@:+--target "$@"}; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        echo "weir: the build ($preset) failed" >&2
        return 1
    fi
    rm -f "$log"
}
