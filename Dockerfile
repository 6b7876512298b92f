FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /larder ./cmd/larder

# Certificates for the vendors' APIs, a user that is not root, and nothing else.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /larder /usr/local/bin/larder
USER 65532:65532
WORKDIR /data
ENTRYPOINT ["/usr/local/bin/larder"]
CMD ["help"]
