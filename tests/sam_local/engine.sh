#!/usr/bin/env bash
# A Docker engine and Lambda's base image, for a machine that may have neither, nor a way to AWS's public registry of
# images: Debian, root, and Debian's and Python's packages are enough. Where there is an engine and a way to the registry,
# nobody needs this: `sam local` itself fetches the image.
#
#   tests/sam_local/engine.sh [PIDFILE]
#
# If an engine answers already, it is used. Otherwise one is installed and started, and its process id goes to PIDFILE:
# whoever started it ends it. The image has the runtime that is the environment's Python.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
pidfile=${1:-$root/.tiffin/dockerd.pid}

say() { echo "engine: $*"; }
need() { # program, package
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || { say "there is no $1, and only root on Debian gets it here"; exit 1; }
  [ -n "${updated:-}" ] || { apt-get -qq update; updated=1; }
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$2" >/dev/null
}

if ! docker info >/dev/null 2>&1; then
  need dockerd docker.io
  mkdir -p "$(dirname "$pidfile")"
  # Its bridge needs no way out: containers talk to this machine alone. So nobody's firewall is touched.
  setsid dockerd --iptables=false --ip6tables=false --ip-masq=false --ip-forward=false >"${pidfile%.pid}.log" 2>&1 &
  echo $! >"$pidfile"
  for _ in $(seq 120); do docker info >/dev/null 2>&1 && break; sleep 0.5; done
  docker info >/dev/null 2>&1 || { say "it does not start:"; tail -5 "${pidfile%.pid}.log"; exit 1; }
  say "started, process $(cat "$pidfile")"
fi

version=$("$root/.venv/bin/python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
case $(uname -m) in
  x86_64) machine=x86_64 platform=x86_64 debian=amd64 ;;
  aarch64) machine=arm64 platform=aarch64 debian=arm64 ;;
  *) say "Lambda runs on no $(uname -m)"; exit 1 ;;
esac
image=public.ecr.aws/lambda/python:$version-$machine
docker image inspect "$image" >/dev/null 2>&1 && { say "$image is there"; exit; }
timeout 120 docker pull -q "$image" && exit
say "it cannot be fetched: a stand-in is made"
case $version in
  3.11) suite=bookworm ;;
  3.13) suite=trixie ;;
  *) say "no release of Debian has Python $version"; exit 1 ;;
esac
need debootstrap debootstrap
scratch=$(mktemp -d)
trap 'rm -rf --one-file-system "$scratch"' EXIT
lambda=$scratch/root
debootstrap --variant=minbase --include="python$version-minimal,libpython$version-stdlib,ca-certificates" \
  "$suite" "$lambda" http://deb.debian.org/debian >"$scratch/log" 2>&1 || { say "debootstrap failed:"; tail -5 "$scratch/log"; exit 1; }
mkdir -p "$lambda"/var/{runtime,task,lang/bin} "$lambda/opt"
"$root/.venv/bin/uv" pip install --quiet --target "$lambda/var/runtime" --no-deps --require-hashes --only-binary :all: \
  --python-version "$version" --python-platform "$platform-manylinux2014" -r "$here/image.txt"
cp "$here/bootstrap.py" "$lambda/var/runtime/"
ln -s "/usr/bin/python$version" "$lambda/var/lang/bin/python$version"
printf '#!/bin/sh\nexec /var/lang/bin/python%s /var/runtime/bootstrap.py\n' "$version" >"$lambda/var/runtime/bootstrap"
chmod 755 "$lambda/var/runtime/bootstrap"
chroot "$lambda" "python$version" -m compileall -q -j 0 /var/runtime "/usr/lib/python$version" >/dev/null || true
rm -rf "$lambda"/var/{cache/apt,lib/apt/lists}/* "$lambda"/usr/share/{doc,man,locale}/*
tar -C "$lambda" --one-file-system -c . | docker import --platform "linux/$debian" \
  --change "ENV PATH=/var/lang/bin:/usr/bin:/bin LANG=C.UTF-8 TZ=UTC LAMBDA_TASK_ROOT=/var/task LAMBDA_RUNTIME_DIR=/var/runtime PYTHONPATH=/var/runtime" \
  --change "WORKDIR /var/task" - "$image" >/dev/null
say "made $image from Debian $suite"
