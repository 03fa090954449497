#!/usr/bin/env bash
# Installs what building and testing need and this machine lacks; says what to do where it cannot.
# With `languages`: what sources in JavaScript and Python need; with `judges`: what those of `make strangers`
# need; with `realtime`: what Supabase's Realtime needs; with `proxy FOLDER`: nginx, unpacked there; with
# `browser`: Chromium; with `metadata`: exiftool.
set -euo pipefail

fail() {
  echo "setup: $*" >&2
  exit 1
}

if [ "${1-}" = languages ] || [ "${1-}" = judges ]; then
  if [ "$1" = judges ]; then who='the judges of `make strangers`' major=20; else who='sources in JavaScript and Python' major=18; fi
  has_languages() {
    node --eval "process.exit(parseInt(process.versions.node) >= $major ? 0 : 1)" 2>/dev/null &&
      command -v npm >/dev/null && python3 -c 'import ensurepip, venv' 2>/dev/null
  }
  if ! has_languages && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    command -v node >/dev/null || node='nodejs npm'
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes python3-venv ${node-}
  fi
  has_languages || fail "$who need Node.js $major or newer with npm, and Python 3.11 with venv (Debian: \`sudo apt install nodejs npm python3-venv\`; a newer Node.js than it has is at https://nodejs.org): install them, then run this again"
  exit
fi

if [ "${1-}" = realtime ]; then
  folder=$(pg_config --pkglibdir 2>/dev/null || ls -d /usr/lib/postgresql/*/lib | sort -V | tail -n 1)
  [ -e "$folder/wal2json.so" ] && exit
  version=$(basename "$(dirname "$folder")")
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "wal2json is missing (Debian: \`sudo apt install postgresql-$version-wal2json\`): install it, then run this again"
  apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes "postgresql-$version-wal2json"
  exit
fi

if [ "${1-}" = proxy ]; then
  if ! command -v nginx >/dev/null; then
    command -v apt-get >/dev/null || fail "nginx is missing: install it, then run this again"
    work=$(mktemp -d)
    (cd "$work" && apt-get download nginx && dpkg -x nginx_*.deb unpacked)
    mkdir -p "$(dirname "$2")" && mv "$work/unpacked" "$2" && rm -r "$work"
  fi
  mkdir -p "$2"
  exit
fi

if [ "${1-}" = metadata ]; then
  command -v exiftool >/dev/null && exit
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "exiftool is missing (Debian: \`sudo apt install libimage-exiftool-perl\`): install it, then run this again"
  apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes libimage-exiftool-perl
  exit
fi

if [ "${1-}" = browser ]; then
  has_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
  }
  has_browser >/dev/null && exit
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "Chromium is missing (Debian: \`sudo apt install chromium\`): install it, then run this again"
  apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes chromium
  exit
fi

if ! rustc --print target-libdir --target wasm32-wasip2 2>/dev/null | xargs test -d; then
  command -v rustup >/dev/null || fail "no WebAssembly target for this Rust: install rustup from https://rustup.rs, then run this again"
  rustup target add wasm32-wasip2 || fail "cannot install the WebAssembly target: run \`rustup target add wasm32-wasip2\` with a connection to the internet, then run this again"
fi

has_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null && return
  command -v postgres >/dev/null && return
  command -v pg_config >/dev/null && [ -x "$(pg_config --bindir)/postgres" ] && return
  compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null
}

if ! has_postgres; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes postgresql
  elif command -v brew >/dev/null; then
    brew install postgresql@17
  else
    fail "Postgres 15 or newer is missing: install it (Debian: \`sudo apt install postgresql\`, Fedora: \`sudo dnf install postgresql-server\`), then run this again"
  fi
  has_postgres || fail "Postgres was installed but its binaries were not found; set PIXCRAWLER_PG_BIN to their folder"
fi
