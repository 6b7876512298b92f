package testdb

import (
	"os"
	"strings"
	"testing"
)

// EnvGalera names the variable in which scripts/test-peers.sh tells where it started a Galera cluster: the DSNs of two nodes, with a space between.
const EnvGalera = "LARDER_TEST_GALERA_DSN"

// Galera returns two nodes of a Galera cluster. The test fails if [EnvGalera] does not tell them.
func Galera(tb testing.TB) (nodes [2]*Server) {
	tb.Helper()
	addresses := strings.Fields(os.Getenv(EnvGalera))
	if len(addresses) != len(nodes) {
		tb.Fatalf("%s has %d addresses, want %d; this test is run by:  make test-peers", EnvGalera, len(addresses), len(nodes))
	}
	for i, dsn := range addresses {
		s, err := connect(EnvGalera, dsn)
		if err != nil {
			tb.Fatal(err)
		}
		nodes[i] = s
	}
	return nodes
}

// On returns the same database as another node of its cluster has it.
func (d *Database) On(node *Server) *Database {
	cfg := node.cfg.Clone()
	cfg.DBName = d.cfg.DBName
	return &Database{Server: node, cfg: cfg}
}
