FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# What larder version says; the folder .git is not copied.
ARG VERSION= COMMIT=
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" -o /larder ./cmd/larder && mkdir /data

# Certificates for the vendors' APIs, a user that is not root, and nothing else. There is no HEALTHCHECK because there is nothing to
# ask with: let the orchestrator ask /healthz (alive) and /readyz (the database and every token).
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /larder /usr/local/bin/larder
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/larder"]
CMD ["help"]
