#!/bin/bash
# A deploy hook of certbot: one file for haproxy for each renewed domain, then a reload.
set -euo pipefail

: "${RENEWED_LINEAGE:?}" "${RENEWED_DOMAINS:?}"
target=haproxy/certs
mkdir -p "$target"
trap 'rm -f "$target"/*.new' EXIT
for domain in $RENEWED_DOMAINS; do
    (umask 077; cat "$RENEWED_LINEAGE"/{fullchain,privkey}.pem >"$target/$domain.pem.new")
    mv "$target/$domain.pem.new" "$target/$domain.pem"
    echo "installed $domain"
done
if systemctl is-active --quiet haproxy; then
    systemctl reload haproxy
    logger -t cert-hook "reloaded haproxy for $RENEWED_DOMAINS"
fi
