#!/bin/sh
# Installs the Debian packages named as arguments where we are root, and names them where we are not.
# A package that the machine has under another name is found through the file that we need it for.
set -eu

have() {
    case "$1" in
        libgl1) ldconfig -p | grep -q 'libGL\.so\.1' ;;
        libglib2.0-0) ldconfig -p | grep -q 'libglib-2\.0\.so\.0' ;;
        libusb-1.0-0) ldconfig -p | grep -q 'libusb-1\.0\.so\.0' ;;
        gir1.2-aravis-0.8) ls /usr/lib/*/girepository-1.0/Aravis-0.8.typelib > /dev/null ;;
        python3-gi) [ -e /usr/lib/python3/dist-packages/gi/__init__.py ] ;;
        libc6-dev) [ -e /usr/include/stdlib.h ] ;;
        *) command -v "$1" > /dev/null ;;
    esac
}

look() {
    missing=""
    for package in "$@"; do
        have "$package" 2> /dev/null || missing="$missing $package"
    done
}

get() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" > /dev/null
}

look "$@"
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    echo "installing system packages:$missing"
    apt-get update -qq || true
    # One that cannot be had keeps apt-get from installing the others.
    # shellcheck disable=SC2086 (a list of names)
    get $missing || for package in $missing; do get "$package" || true; done
    look "$@"
fi
[ -n "$missing" ] || exit 0

echo "These system packages are missing:$missing"
echo "Install them, for example: sudo apt-get install$missing"
echo "Going on without them; what needs them will say so."
