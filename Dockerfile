# Makes a small image: one stage builds kopru, the other one has only the program, its libraries and
# its files. There was no container engine where this was written: the commands were run one by one
# in two bare Debian 12 roots instead.

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
RUN cmake --preset release && cmake --build --preset release

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
ENTRYPOINT ["kopru-entrypoint"]
CMD ["run"]
