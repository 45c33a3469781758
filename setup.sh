#!/bin/sh
# SPDX-License-Identifier: MIT
# Prepares a Debian machine to run xsnd from this directory. Each step prints what it does; a repeated run skips finished steps.
#
#     ./setup.sh           to run xsnd: installs Deno, and the libraries of ALSA and Xen
#     ./setup.sh --tests   to test xsnd too: also installs Xen's client tools, sound servers, headers and a compiler
#
# Needs npm if Deno is missing, and root or sudo if packages are missing. Deno comes from the npm registry. Deno and xsnd's
# modules go to .cache beside this file. Apart from packages nothing else changes.
set -eu
cd "$(dirname "$0")"

DENO_VERSION=2.9.6
PACKAGES="libasound2 libasound2-plugins libxenstore4 libxengnttab1 libxenevtchn1"
TEST_PACKAGES="xenstore-utils pulseaudio pulseaudio-utils alsa-utils sox gcc libc6-dev libxen-dev libasound2-dev tmux
  chromium-headless-shell zsh fish groff-base mandoc dpkg-dev strace systemd pipewire wireplumber dbus-daemon"

say() {
  echo "setup: $*"
}

fail() {
  echo "setup: $*" >&2
  exit 1
}

case "$#${1-}" in
0) ;;
1--tests) PACKAGES="$PACKAGES $TEST_PACKAGES" ;;
*) fail "usage: $0 [--tests]" ;;
esac

# --- Debian packages ---

missing_packages() {
  for package in $PACKAGES; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=none
    [ "$status" = installed ] || printf '%s ' "$package"
  done
}

# Runs apt-get as root, without questions and without its output.
apt() {
  sudo=
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "run as root: apt-get install --no-install-recommends $missing"
    sudo=sudo
  fi
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null >/dev/null
}

# Recommended packages would install large parts of a desktop.
install_packages() {
  apt install -y --no-install-recommends $missing
}

if command -v dpkg-query >/dev/null; then
  missing=$(missing_packages)
  if [ -n "$missing" ]; then
    say "installing Debian packages: $missing"
    if ! apt-get -qq --simulate --no-install-recommends install $missing >/dev/null 2>&1; then
      say "apt-get does not know all packages; updating its lists"
      apt update
      install_packages
    elif ! install_packages; then
      say "apt-get could not install the packages; updating its lists"
      apt update
      install_packages
    fi
  else
    say "all Debian packages are installed"
  fi
else
  say "this is not a Debian system; install the content of these packages yourself: $PACKAGES"
fi

# --- single files of Debian packages ---

# unpack PACKAGE FILE: gets FILE, a pattern of a path in the package, into .cache/unpacked, and installs nothing.
unpack() {
  if [ -e ".cache/unpacked/${2##*/}" ]; then return; fi
  say "unpacking ${2##*/} of Debian's $1 into .cache/unpacked"
  rm -rf .cache/unpacked.new
  mkdir -p .cache/unpacked .cache/unpacked.new
  if ! download "$1" 2>/dev/null; then
    say "apt-get could not get $1; updating its lists"
    apt update
    download "$1"
  fi
  dpkg-deb --extract .cache/unpacked.new/*.deb .cache/unpacked.new
  mv .cache/unpacked.new/$2 .cache/unpacked
  rm -rf .cache/unpacked.new
}

download() {
  (cd .cache/unpacked.new && apt-get -qq -o APT::Sandbox::User=root download "$1" </dev/null)
}

if [ "${1-}" = --tests ] && command -v dpkg-query >/dev/null; then
  # ALSA's plugin for PipeWire: its package would remove PulseAudio.
  unpack pipewire-alsa 'usr/lib/*/alsa-lib/libasound_module_pcm_pipewire.so'
  # Its package is 100 MB of a server that nobody starts.
  unpack prometheus usr/bin/promtool
fi

# --- Deno ---

# Whether $1 runs, and is Deno 2.9 or a later 2.x.
fit() {
  version=$("$1" --version 2>/dev/null | sed -n 's/^deno \([0-9.]*\).*/\1/p') || return 1
  minor=${version#2.}
  [ "$minor" != "$version" ] && [ "${minor%%.*}" -ge 9 ]
}

# Prints the path of the Deno binary that npm installed. npm's wrapper script runs Node first, which takes longer than Deno's start.
npm_deno() {
  for binary in "$PWD"/.cache/deno/node_modules/@deno/linux-*/deno; do
    if [ -x "$binary" ]; then
      echo "$binary"
      return
    fi
  done
  return 1
}

if [ -n "${XSND_DENO-}" ]; then
  deno=$XSND_DENO
  fit "$deno" || fail "XSND_DENO is $deno, which is not Deno 2.9 or later"
elif deno=$(npm_deno) && fit "$deno"; then
  :
elif deno=$(command -v deno) && fit "$deno"; then
  :
else
  command -v npm >/dev/null || fail "npm is needed to install Deno: apt-get install npm"
  say "installing Deno $DENO_VERSION from the npm registry into .cache/deno"
  mkdir -p .cache/deno
  npm install --prefix .cache/deno --no-audit --no-fund --no-update-notifier --loglevel error "deno@$DENO_VERSION"
  deno=$(npm_deno) || fail "npm has no Deno for this machine ($(uname -m)); install Deno 2.9 or later, and set XSND_DENO"
  fit "$deno" || fail "$deno does not run here; install Deno 2.9 or later, and set XSND_DENO"
fi
say "Deno is $deno"

# --- modules ---

# .cache/bin/deno: the Deno binary with the module cache of this directory, for the launcher and for `deno task`.
mkdir -p .cache/bin
cat >.cache/bin/deno.new <<EOF
#!/bin/sh
export DENO_DIR="$PWD/.cache/deno_dir"
exec "$deno" "\$@"
EOF
chmod +x .cache/bin/deno.new
mv .cache/bin/deno.new .cache/bin/deno

say "caching modules in .cache/deno_dir"
.cache/bin/deno install --quiet --frozen </dev/null
find main.ts cmd ffi lib -name '*.ts' -exec .cache/bin/deno cache --quiet --frozen {} +
# Deno downloads the bundler of `deno task package` on its first use.
say "caching the bundler"
.cache/bin/deno bundle --quiet --output .cache/bundler.js lib/base/version.ts </dev/null >/dev/null
rm -f .cache/bundler.js
say "done; try ./xsnd demo"
