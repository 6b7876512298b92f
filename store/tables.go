package store

import (
	"context"
	"fmt"
)

// Tables are the names of those tables of a database that have the columns of Laravel's, whatever they are called.
type Tables struct {
	Cache []string // key, value, expiration
	Locks []string // key, owner, expiration
}

// Tables looks for tables that could be the store's under another name, for messages about one that does not exist. It reads the database's
// catalogue, which on a database of thousands of tables takes a while, and finds none that the account has no rights on.
func (s *Store) Tables(ctx context.Context) (Tables, error) {
	var found Tables
	err := s.repeat(ctx, reading, func() error {
		var shapes []struct {
			Name         string
			Value, Owner bool
		}
		if err := s.read.SelectContext(ctx, &shapes, s.sql.shapes); err != nil {
			return err
		}
		found = Tables{}
		for _, t := range shapes {
			if t.Value {
				found.Cache = append(found.Cache, t.Name)
			}
			if t.Owner {
				found.Locks = append(found.Locks, t.Name)
			}
		}
		return nil
	})
	if err != nil {
		return Tables{}, fmt.Errorf("look for cache tables: %w", err)
	}
	return found, nil
}

// TableRights is what the store's account may not do with one of its tables.
type TableRights struct {
	Table  string
	Denied []string // of SELECT, INSERT, UPDATE and DELETE, in this order; nil if it may do all that a store does

	// Grant is the statement by which an administrator of the server allows what is denied, with the account's name as the server knows it. It is
	// "" if nothing is denied, and on SQLite, where the rights are those of the file.
	Grant string
}

// Rights asks what the account may not do with the cache table and the lock table, in this order. Nothing is executed and no lock is waited for, but
// for an ALTER TABLE that is under way. A table that does not exist, or has other columns than Laravel's, denies nothing to an account that may know
// that; to one without any right on it a server says the same whether it exists or not.
//
// Whether the server takes writes from anybody is [Server]'s to say. TiDB before 6.3 checks rights only when it executes a statement: there nothing is
// found to be denied.
func (s *Store) Rights(ctx context.Context) ([]TableRights, error) {
	var rights []TableRights
	err := s.repeat(ctx, reading, func() error {
		conn, err := s.write.Connx(ctx)
		if err != nil {
			return connectError{err}
		}
		defer func() { _ = conn.Close() }() // it goes back to the pool
		rights, err = s.dialect.rights(ctx, conn, s.table, s.lockTable)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ask for the account's rights: %w", err)
	}
	return rights, nil
}
