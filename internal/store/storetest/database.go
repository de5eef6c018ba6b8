package storetest

import (
	"context"
	"database/sql"
	"errors"
	"net/url"

	"plimsoll/internal/store"
)

// take returns the name of an empty database: a new one, or one that an earlier test has given back, which spares a second
// of making tables. On a server that the environment names they stay behind: it is there to be thrown away.
func (s *Server) take() (name string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.free) - 1; last >= 0 {
		name, s.free = s.free[last], s.free[:last]
		return name, nil
	}
	return s.create()
}

// create makes a database in which there is nothing at all.
func (s *Server) create() (name string, err error) {
	name = "plimsoll_" + random()
	statement := "CREATE DATABASE " + name
	if s.engine == store.PostgreSQL {
		statement += " TEMPLATE template0 ENCODING 'UTF8'"
	}
	_, err = s.admin.ExecContext(context.Background(), statement)
	return name, err
}

// give takes a database back. One that cannot be emptied is removed.
func (s *Server) give(name string) error {
	if err := s.empty(name); err != nil {
		return errors.Join(err, s.drop(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, name)
	return nil
}

func (s *Server) drop(name string) error {
	statement := "DROP DATABASE " + name
	if s.engine == store.PostgreSQL {
		statement += " WITH (FORCE)" // a store whose closing failed must not hold it
	}
	_, err := s.admin.ExecContext(context.Background(), statement)
	return err
}

// connection is how store.Open reaches a database.
func (s *Server) connection(name string) (string, error) {
	u, err := url.Parse(s.Connection)
	if err != nil {
		return "", err
	}
	u.Path = "/" + name
	return u.String(), nil
}

// empty removes all rows, but for those that say which migrations were made.
func (s *Server) empty(name string) error {
	connection, err := s.connection(name)
	if err != nil {
		return err
	}
	db, err := open(s.engine, connection)
	if err != nil {
		return err
	}
	defer db.Close()
	tables, err := s.tables(db)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if _, err := db.ExecContext(context.Background(), "DELETE FROM "+table); err != nil {
			return err
		}
	}
	return nil
}

// tables are those that the migrations made. None of them holds a row then.
func (s *Server) tables(db *sql.DB) ([]string, error) {
	schema := "DATABASE()"
	if s.engine == store.PostgreSQL {
		schema = "'public'"
	}
	rows, err := db.QueryContext(context.Background(), "SELECT table_name FROM information_schema.tables WHERE table_name <> 'goose_db_version' AND table_schema = "+schema)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var table string
		if err := rows.Scan(&table); err != nil {
			return nil, err
		}
		tables = append(tables, table)
	}
	return tables, rows.Err()
}
