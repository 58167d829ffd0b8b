# Makes a small image: one stage builds kopru, the other one has only the program, its libraries and
# its files. The build argument KOPRU_REVISION is what "kopru --version" names, since git is not
# asked here:
#
#     docker build --build-arg KOPRU_REVISION="$(git describe --always --dirty --abbrev=12)" .
#
# podman build needs --format docker to keep the HEALTHCHECK.

FROM debian:bookworm-20250929-slim AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
        cmake gcc libc6-dev libconfig-dev libjson-c-dev libmicrohttpd-dev libpq-dev \
        librabbitmq-dev libssl-dev ninja-build pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY CMakeLists.txt CMakePresets.json ./
COPY cmake cmake
COPY src src
ARG KOPRU_REVISION=""
RUN cmake --preset release -D KOPRU_REVISION="$KOPRU_REVISION" && cmake --build --preset release

FROM debian:bookworm-20250929-slim
# TLS peers are verified against ca-certificates; erp.time_zone is looked up in tzdata.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends \
        ca-certificates libconfig9 libjson-c5 libmicrohttpd12 libpq5 librabbitmq4 libssl3 tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 kopru \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin kopru
COPY --from=build /source/build-release/kopru /usr/local/bin/kopru
COPY docker/entrypoint.sh /usr/local/bin/kopru-entrypoint
COPY etc/kopru.cfg /etc/kopru/kopru.cfg
COPY etc/entities /etc/kopru/entities
USER 10001:10001
# It asks whether the daemon is alive, and not whether the servers are there: that would have it
# restarted in each of their outages.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 \
    CMD ["kopru", "status", "--live"]
ENTRYPOINT ["kopru-entrypoint"]
CMD ["run"]
