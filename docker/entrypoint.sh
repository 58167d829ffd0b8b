#!/bin/sh
# Entry point of kopru's container: runs kopru COMMAND after it has copied the secrets to where
# kopru.cfg names them. Secrets are mounted readable by everybody; kopru and libpq take passwords
# only from files that nobody else can read.
set -eu
umask 077
secrets=${SECRETS_DIR:-/run/secrets}
private=${PRIVATE_DIR:-/run/kopru}

if [ -e "$secrets/kopru_amqp_password" ]; then
    cat "$secrets/kopru_amqp_password" >"$private/amqp_password"
fi
if [ -e "$secrets/kopru_postgres_password" ]; then
    # libpq's passfile: host:port:database:user:password, with \ and : escaped.
    password=$(sed -e 's/[\\:]/\\&/g' "$secrets/kopru_postgres_password")
    printf '*:*:*:kopru:%s\n' "$password" >"$private/pgpass"
fi
exec kopru "$@"
