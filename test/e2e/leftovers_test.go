package e2e

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"plimsoll/test/harness"
)

// TestNothingIsLeft deletes everything through the API: no namespace, link, bridge, table, process, row or file stays.
func TestNothingIsLeft(t *testing.T) {
	s := newSite(t, 2, harness.Tree{Monitor: true})
	// A member on a network of its own gives the load balancer a port there.
	far := s.CreateNetwork(t, "far", "10.2.0.0/24")
	web := s.Plug(t, far).Serve(t, 8080, "far")
	if _, err := s.TryMember(t, s.lb, far, web); err != nil {
		t.Fatal(err)
	}
	s.WaitActive(t, s.lb.ID)
	harness.Eventually(t, 10*time.Second, func() error {
		name, err := s.client.Get(s.lb.Address)
		if err == nil && name != "far" {
			err = fmt.Errorf("%q answered", name)
		}
		return err
	})
	if len(s.Leftovers()) < 5 {
		t.Errorf("the host has only %v", s.Leftovers())
	}

	s.Delete(t, s.lb.ID)
	for _, w := range append(s.webs, web) {
		w.Stop()
		s.Unplug(t, w.Node)
	}
	s.Unplug(t, s.client)
	s.DeleteNetwork(t, s.net)
	s.DeleteNetwork(t, far)
	harness.Eventually(t, 10*time.Second, func() error {
		if left := s.Leftovers(); len(left) > 0 {
			return fmt.Errorf("left on the host: %v", left)
		}
		return nil
	})
	for _, dir := range []string{"lbaas/v2", "plugs"} {
		if files, err := os.ReadDir(filepath.Join(s.StateDir, dir)); len(files) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Errorf("left in %s: %v, %v", dir, files, err)
		}
	}
	s.Stop(t)
	s.noRows(t)
}

// noRows looks into the database.
func (s *site) noRows(t *testing.T) {
	t.Helper()
	noRowsOf(t, s.Server, "load_balancers", "listeners", "pools", "members", "health_monitors", "listener_statistics", "ports", "port_addresses")
}

// noRowsOf looks into tables of the database of a server that was stopped.
func noRowsOf(t *testing.T, server *harness.Server, tables ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(server.StateDir, "plimsoll.db")+"?_pragma=query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, table := range tables {
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil || n > 0 {
			t.Errorf("table %s has %d rows, %v", table, n, err)
		}
	}
}
