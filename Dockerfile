# triphase in an image: the binary and nothing to build it with. The project (conf.d, releases) comes in a layer above, or is mounted
# at /project; see docs/deploy.md.
FROM rust:1.94-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src ./src
COPY tests ./tests
RUN cargo build --release --locked --bin triphase

FROM debian:bookworm-slim
# A number, so that Kubernetes can see that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin triphase
COPY --from=build /src/target/release/triphase /usr/local/bin/triphase
WORKDIR /project
USER 10001
ENTRYPOINT ["triphase"]
CMD ["--help"]
