#!/bin/sh
# sh run.sh IMAGE KIT OUT [OPTION...]
# Runs an untrusted image. It reads KIT and writes OUT; it has no network, no access to other files of this
# machine and no privileges. Options go to the engine, such as --gpus all. MEMORY=24g; ENGINE=docker, or podman.
set -eu
if [ $# -lt 3 ]; then
  sed -n '2,4s/^# //p' "$0" >&2
  exit 2
fi
image=$1
kit=$(cd "$2" && pwd)
mkdir -p "$3"
out=$(cd "$3" && pwd)
shift 3
exec ${ENGINE:-docker} run --rm --network none --read-only --tmpfs /tmp:size=2g \
  --cap-drop ALL --security-opt no-new-privileges --user "$(id -u):$(id -g)" --pids-limit 512 \
  --memory "${MEMORY:-24g}" -v "$kit:/kit:ro" -v "$out:/out" "$@" "$image"
