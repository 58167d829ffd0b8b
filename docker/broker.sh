#!/bin/sh
# Entry point of the broker's container: writes the definitions with the passwords from the secrets,
# then runs the command. The user erp stands for the ERP, which owns the queues; kopru may read from
# the two and do nothing else.
set -eu
umask 077
secrets=${SECRETS_DIR:-/run/secrets}
definitions=${DEFINITIONS_FILE:-/tmp/definitions.json}

password() {
    value=$(cat "$secrets/$1")
    case $value in
        "" | *[!A-Za-z0-9_-]*)
            echo "broker.sh: $secrets/$1 must hold letters, digits, - and _ only;" \
                "docker/make-secrets makes one" >&2
            exit 78
            ;;
    esac
    printf '%s' "$value"
}

erp=$(password erp_amqp_password)
kopru=$(password kopru_amqp_password)
cat >"$definitions" <<END
{
  "vhosts": [ { "name": "/" } ],
  "users": [
    { "name": "erp", "password": "$erp", "tags": [ "administrator" ] },
    { "name": "kopru", "password": "$kopru", "tags": [] }
  ],
  "permissions": [
    { "user": "erp", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" },
    { "user": "kopru", "vhost": "/", "configure": "^\$", "write": "^\$",
      "read": "^secom-(customer|subscriptions)-queue\$" }
  ],
  "queues": [
    { "name": "secom-customer-queue", "vhost": "/",
      "durable": true, "auto_delete": false, "arguments": {} },
    { "name": "secom-subscriptions-queue", "vhost": "/",
      "durable": true, "auto_delete": false, "arguments": {} }
  ]
}
END
exec "$@"
