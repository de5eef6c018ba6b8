package linux

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"plimsoll/internal/failpoint"
)

// sysctl is a kernel setting of the thread's network namespace, by its path below /proc/sys.
type sysctl struct{ path, value string }

// setSysctls writes what differs. A setting that the kernel lacks, as all of IPv6 may be, is passed over.
func setSysctls(settings []sysctl) error {
	for _, s := range settings {
		if err := s.set(); err != nil {
			return err
		}
	}
	return nil
}

func (s sysctl) set() error {
	path := filepath.Join("/proc/sys", s.path)
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.TrimSpace(string(now)) == s.value {
		return nil
	}
	if err := os.WriteFile(path, []byte(s.value), 0o644); err != nil {
		return fmt.Errorf("set %s: %w", strings.ReplaceAll(s.path, "/", "."), err)
	}
	failpoint.Here("linux.sysctl.set")
	return nil
}
