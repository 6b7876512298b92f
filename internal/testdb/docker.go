package testdb

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// startDocker starts mysql:8.4 in a container that removes itself, on a loopback port that Docker chooses.
func startDocker() (*Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(ctx, "docker", "info").Run(); err != nil {
		return nil, errors.New("no mariadbd or mysqld on PATH, and no Docker daemon answers")
	}
	const secret = "larder-test"
	out, err := docker("run", "--detach", "--rm", "--publish", "127.0.0.1::3306",
		"--env", "MYSQL_ROOT_PASSWORD="+secret, "mysql:8.4",
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci")
	if err != nil {
		return nil, err
	}
	id := out
	stop := func() { _, _ = docker("kill", id) }
	address, err := docker("port", id, "3306/tcp")
	if err != nil {
		stop()
		return nil, err
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = "root", secret, "tcp", strings.Fields(address)[0]
	if err := waitReady(cfg, nil); err != nil {
		stop()
		return nil, fmt.Errorf("mysql:8.4 in Docker did not come up: %w", err)
	}
	return &Server{cfg: cfg, stop: stop}, nil
}

func docker(args ...string) (string, error) {
	var stderr strings.Builder
	cmd := exec.Command("docker", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
