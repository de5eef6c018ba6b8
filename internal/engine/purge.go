package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// Purge removes everything that carries the instance's stamp: processes, namespaces, links, bridges, and the
// engine's files. It fails when an engine runs on the state directory. It goes on after an error and may be called again.
func (e *Engine) Purge(ctx context.Context) error {
	unlock, err := e.lockStateDir()
	if err != nil {
		return err
	}
	defer unlock()
	below := filepath.Join(e.dir, balancersDir) + "/"
	failed := []error{e.prepare(), killConfigs(func(conf string) bool { return strings.HasPrefix(conf, below) }), e.purgeDnsmasqs()}
	for _, f := range e.applyPlan(ctx, &enginepb.HostPlan{}) {
		failed = append(failed, fmt.Errorf("remove what was made for the network service: %s %s", f.ObjectId, f.Reason))
	}
	// What a crash prevented from being stamped is known by its record only.
	for _, p := range e.storedPlugs() {
		failed = append(failed, e.removePort(portRef{p.id(), p.Port.NetworkId}))
	}
	dirs, err := os.ReadDir(e.files.balancers.path(""))
	failed = append(failed, err)
	for _, dir := range dirs {
		if checkID("", dir.Name()) != nil {
			continue
		}
		r, _ := readRecord(e.files.balancers.path(dir.Name())) // what cannot be read is swept by its stamp
		failed = append(failed, e.removeNetwork(dir.Name(), r))
	}
	failed = append(failed, e.host.Sweep(nil, nil))
	if err := errors.Join(append(failed, ctx.Err())...); err != nil {
		return err // the files say what is left to do
	}
	return errors.Join(removeAll(filepath.Join(e.dir, lbaasDir)), removeAll(filepath.Join(e.dir, plugsDir)), removeAll(filepath.Join(e.dir, hostDir)))
}
