# Roster with GraphiQL in it, complete without internet, as a user without rights.
#
#   docker build --tag roster .
#   docker run --publish 8080:8080 --volume ./roster.toml:/etc/roster/roster.toml:ro roster
#
# In a container the gateway has to listen on 0.0.0.0:8080 (server.listen), which it does only where the
# configuration says that an authenticating proxy stands before it (server.behind_authenticating_proxy). The
# names by which clients reach it belong in server.hosts.
# To look around: docker run --network host roster demo

FROM node:22-bookworm-slim AS graphiql
WORKDIR /roster
COPY scripts/graphiql scripts/
COPY src/server/graphiql/files.lock src/server/graphiql/
RUN scripts/graphiql

FROM rust:1.95-bookworm AS build
WORKDIR /roster
COPY . .
COPY --from=graphiql /roster/assets/graphiql assets/graphiql
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/roster/target \
    cargo build --profile dist --locked --bin roster \
    && install target/dist/roster /usr/local/bin/roster

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home roster
COPY --from=build /usr/local/bin/roster /usr/local/bin/roster
USER 10001
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=10s --retries=3 \
    CMD ["roster", "health", "--config", "/etc/roster/roster.toml"]
ENTRYPOINT ["roster"]
CMD ["serve", "--config", "/etc/roster/roster.toml"]
