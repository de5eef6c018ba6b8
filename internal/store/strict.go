package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
)

// strict makes connections to MariaDB end a transaction with its first error, as PostgreSQL does: what comes after fails with the same
// error, the commit too. A Galera node takes a transaction back when one of another node is faster, and says so once, at the end of the
// statement that is under way. Who reads a row and no further, as bun does where one is wanted, does not hear of it: the
// statements that follow would each be committed for themselves, and the commit would do nothing and succeed.
type strict struct{ driver.Connector }

// Connect is for database/sql.
func (s strict) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &strictConn{mariadbConn: c.(mariadbConn)}, nil
}

// mariadbConn is what the driver's connections are. Statements that are prepared, which ours are not, are not looked after.
type mariadbConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type strictConn struct {
	mariadbConn
	began  bool  // a transaction
	failed error // the first of the transaction
}

// note keeps an error, and returns it.
func (c *strictConn) note(err error) error {
	if c.began && c.failed == nil && err != io.EOF && err != driver.ErrSkip { //nolint:errorlint // these are no errors, and never wrapped
		c.failed = err
	}
	return err
}

// BeginTx is for database/sql.
func (c *strictConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.mariadbConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	c.began, c.failed = true, nil
	return strictTx{tx, c}, nil
}

// ExecContext is for database/sql.
func (c *strictConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if c.failed != nil {
		return nil, c.failed
	}
	res, err := c.mariadbConn.ExecContext(ctx, query, args)
	return res, c.note(err)
}

// QueryContext is for database/sql.
func (c *strictConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if c.failed != nil {
		return nil, c.failed
	}
	rows, err := c.mariadbConn.QueryContext(ctx, query, args)
	if err != nil {
		return nil, c.note(err)
	}
	return strictRows{rows, c}, nil
}

type strictRows struct {
	driver.Rows
	conn *strictConn
}

// Next is for database/sql.
func (r strictRows) Next(row []driver.Value) error { return r.conn.note(r.Rows.Next(row)) }

// Close is for database/sql. It reads what has not been read.
func (r strictRows) Close() error { return r.conn.note(r.Rows.Close()) }

type strictTx struct {
	driver.Tx
	conn *strictConn
}

// Commit is for database/sql.
func (t strictTx) Commit() error {
	if failed := t.conn.failed; failed != nil {
		return errors.Join(failed, t.Rollback())
	}
	t.conn.began = false
	return t.Tx.Commit()
}

// Rollback is for database/sql.
func (t strictTx) Rollback() error {
	t.conn.began, t.conn.failed = false, nil
	return t.Tx.Rollback()
}
