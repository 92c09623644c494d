#!/bin/sh
# Pins the images that are not ours to what their tags mean today: writes their digests into the Dockerfile, the Compose file
# and the example's Redis. Needs docker with buildx, and the registries. Run it again to take newer builds of the same tags.
#
#   sh deploy/pin-images.sh && git diff
set -eu
cd "$(dirname "$0")/.."

files='deploy/Dockerfile docker-compose.yml deploy/kubernetes/overlays/example/redis.yaml'
# What stands behind FROM or image:, has a tag, and is not built here; without the digest of an earlier run.
images=$(sed -nE 's/^(FROM|[[:space:]-]*image:)[[:space:]]+([^[:space:]$@]+:[^[:space:]$@]+)(@sha256:[0-9a-f]{64})?([[:space:]].*)?$/\2/p' $files | sort -u)

for image in $images; do
  digest=$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')
  case $digest in
    sha256:*[!0-9a-f]*) digest= ;;
    sha256:????????????????????????????????????????????????????????????????) ;;
    *) digest= ;;
  esac
  if [ -z "$digest" ]; then
    echo "no digest for $image: nothing was changed for it" >&2
    exit 1
  fi
  for file in $files; do
    sed -E "s|([[:space:]])$image(@sha256:[0-9a-f]{64})?([[:space:]]\|$)|\1$image@$digest\3|" "$file" >"$file.pinned"
    cat "$file.pinned" >"$file"
    rm "$file.pinned"
  done
  echo "$image@$digest"
done
