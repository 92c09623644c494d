#!/bin/sh
# Makes the secret files that docker-compose.yml names, in deploy/secrets. What exists is kept; redis-acl follows
# redis-users.acl.
#
#   sh deploy/create-secrets.sh           asks for the application's secret and for the webhook that gets alerts;
#                                         takes AZURE_CLIENT_SECRET and ALERT_WEBHOOK_URL instead, when they are set
#   sh deploy/create-secrets.sh --demo    asks for nothing: for the simulator, with a certificate of its own
#
# Needs openssl. The folder can be entered by its owner alone; the files in it are readable, because the services that
# read them in their containers run as other users.
set -eu
umask 077
folder=$(cd "$(dirname "$0")" && pwd)/secrets
mode=${1:-}
case $mode in '' | --demo) ;; *) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2 ;; esac
command -v openssl >/dev/null || { echo 'openssl is needed' >&2; exit 1; }
mkdir -p "$folder/ca"
chmod 700 "$folder"
chmod 755 "$folder/ca"

is_missing() { [ ! -s "$folder/$1" ]; }

# What is read from standard input, as a file: whole or not at all.
keep() {
  cat >"$folder/$1.new"
  chmod 444 "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
  echo "made deploy/secrets/$1"
}

random() { openssl rand -hex 32; }
sha256() { openssl dgst -sha256 -r | cut -d' ' -f1; }

ask() { # VALUE QUESTION
  if [ -n "$1" ]; then printf '%s' "$1"; return; fi
  [ -t 0 ] || { echo "$2: not given, and there is no terminal to ask on" >&2; return 1; }
  printf '%s (not shown): ' "$2" >&2
  stty -echo
  read -r answer || answer=
  stty echo
  echo >&2
  [ -n "$answer" ] || { echo 'nothing was given' >&2; return 1; }
  printf '%s' "$answer"
}

# The users of Redis: each service has its password in its URL, people have theirs in redis-password, Redis has the hashes.
password_of() { sed -n 's|^redis.*://[^:]*:\([^@]*\)@.*|\1|p' "$folder/redis-url-$1"; }
hash_of() { # USER PASSWORD
  [ -n "$2" ] || { echo "deploy/secrets has no password of the Redis user $1" >&2; return 1; }
  printf %s "$2" | sha256
}
for user in intake worker; do
  if is_missing "redis-url-$user"; then printf 'redis://%s:%s@redis:6379\n' "$user" "$(random)" | keep "redis-url-$user"; fi
done
is_missing redis-password && random | keep redis-password
operator=$(hash_of operator "$(cat "$folder/redis-password")")
intake=$(hash_of intake "$(password_of intake)")
worker=$(hash_of worker "$(password_of worker)")
# What the users may do can change with a version.
acl=$(sed "s/#OPERATOR/#$operator/; s/#INTAKE/#$intake/; s/#WORKER/#$worker/" "$folder/../redis-users.acl")
[ "$acl" = "$(cat "$folder/redis-acl" 2>/dev/null)" ] || printf '%s\n' "$acl" | keep redis-acl

is_missing grafana-admin-password && random | keep grafana-admin-password
# Signs callbacks, in the form of Standard Webhooks. Each receiver gets a secret that is derived from it, not this one:
# docker compose exec intake node services/intake-api/src/callback-secret-main.ts URL
is_missing callback-secret && echo "whsec_$(openssl rand -base64 32)" | keep callback-secret

if is_missing azure-client-secret; then
  if [ "$mode" = --demo ]; then value=$(random); else value=$(ask "${AZURE_CLIENT_SECRET:-}" "client secret of the application in Entra ID"); fi
  printf '%s\n' "$value" | keep azure-client-secret
fi

if is_missing alert-webhook-url; then
  # Port 9 refuses: in a trial alerts are seen in Alertmanager and Grafana only.
  if [ "$mode" = --demo ]; then value=http://127.0.0.1:9/; else value=$(ask "${ALERT_WEBHOOK_URL:-}" "URL of the webhook that gets alerts"); fi
  printf '%s\n' "$value" | keep alert-webhook-url
fi

if [ "$mode" = --demo ] && is_missing demo-key.pem; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj '/CN=simulator trial CA' \
    -keyout "$work/ca-key.pem" -out "$work/ca.pem" 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj '/CN=simulator' \
    -keyout "$work/key.pem" -out "$work/request.pem" 2>/dev/null
  printf 'subjectAltName=DNS:simulator,DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$work/extensions"
  openssl x509 -req -in "$work/request.pem" -CA "$work/ca.pem" -CAkey "$work/ca-key.pem" -CAcreateserial -days 365 \
    -extfile "$work/extensions" -out "$work/certificate.pem" 2>/dev/null
  keep ca/demo-ca.pem <"$work/ca.pem"
  cat "$work/certificate.pem" "$work/ca.pem" | keep ca/demo-certificate.pem
  keep demo-key.pem <"$work/key.pem"
fi

if is_missing intake-api-keys; then
  key=$(openssl rand -base64 32)
  printf 'first:submit+read+admin:%s\n' "$(printf %s "$key" | sha256)" | keep intake-api-keys
  echo
  echo "API key, shown this once (the service knows its hash only): $key"
fi
