package store_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/larder-cache/larder/internal/testdb"
	"github.com/larder-cache/larder/store"
)

func TestOpen_VerifiesTheServerByItsAuthorityAndName(t *testing.T) {
	db, authority := testdb.TLS(t, "localhost")
	migrated(t, db)
	byName := strings.Replace(db.URL(), "127.0.0.1", "localhost", 1)
	ca := "?ssl-ca=" + url.QueryEscape(authority)
	for _, c := range []struct{ claim, address, refused string }{
		{"the right authority and name", byName + ca, ""},
		{"encrypted, not verified", db.URL() + "?tls=skip-verify", ""},
		{"another name", db.URL() + ca, "127.0.0.1"},
		{"an authority that this machine does not know", byName + "?tls=true", "unknown authority"},
	} {
		s, err := store.Open(c.address)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Put(context.Background(), "k", 1, time.Minute)
		if c.refused == "" && err != nil || c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)) {
			t.Errorf("%s: error is %v, want %q in it", c.claim, err, c.refused)
		}
		if c.refused == "" && err == nil {
			var cipher string
			if err := s.DB().QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(new(string), &cipher); err != nil || cipher == "" {
				t.Errorf("%s: the connection is not encrypted: %q, %v", c.claim, cipher, err)
			}
		}
		_ = s.Close()
	}
}
