# A Debian server on which containers run: Docker and podman, and the compose that both use.
# tests/support/container_host.py builds and boots it.
FROM debian:trixie-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        aardvark-dns buildah ca-certificates curl dbus docker-cli docker-compose docker.io git \
        iptables netavark nftables podman runc systemd systemd-sysv \
 && rm -rf /var/lib/apt/lists/*
# The same as for the host itself.
COPY containers.conf /etc/containers/containers.conf
CMD ["/sbin/init"]
