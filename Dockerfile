# The image, with an engine:
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)" \
#     --build-arg SOURCE_DATE_EPOCH="$(git log -1 --format=%ct)" -t customer-offboarding-operator .
# Without one image/build.sh makes `build` on this machine, and the rest is the same. docs/image.md has more.
FROM docker.io/library/rust:1.95-bookworm AS build
ARG SOURCE_DATE_EPOCH=0
WORKDIR /src
COPY . .
RUN SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH image/rootfs.sh /

# docker build --target sbom --output type=local,dest=. .
FROM scratch AS sbom
COPY --from=build /sbom.cdx.json /

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="customer-offboarding-operator" \
      org.opencontainers.image.description="A Kubernetes operator that offboards customers at SaaS providers: exactly once, approved, verified, with evidence." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /rootfs/ /
USER 65532:65532
ENTRYPOINT ["/customer-offboarding-operator"]
