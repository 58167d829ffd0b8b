# Stands in for Docker's official image of RabbitMQ where no registry can be reached: Debian's
# server with the management plugin, and the settings of the official image.
FROM debian:bookworm-20250929-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/* \
 && printf '[rabbitmq_management,rabbitmq_prometheus].\n' >/etc/rabbitmq/enabled_plugins \
 && install -d /etc/rabbitmq/conf.d \
 && printf 'loopback_users.guest = false\nlog.console = true\nlog.file = false\n' \
        >/etc/rabbitmq/conf.d/10-defaults.conf \
 && printf '#!/bin/sh\nexec "$@"\n' >/usr/local/bin/docker-entrypoint.sh \
 && chmod 755 /usr/local/bin/docker-entrypoint.sh
# Not Debian's wrappers, which log to files and switch users.
ENV PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin HOME=/var/lib/rabbitmq \
    RABBITMQ_LOGS=- LANG=C.UTF-8
VOLUME /var/lib/rabbitmq
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["rabbitmq-server"]
