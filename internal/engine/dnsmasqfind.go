package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// findServants finds, once, the processes that an engine before us has started. Of two that have the same files one is too many.
// The caller holds the servants.
func (e *Engine) findServants() error {
	if e.servants.all != nil {
		return nil
	}
	all := map[string]*servant{}
	confs, err := findDnsmasqs(e.dnsmasqDir() + "/")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for conf, pids := range confs {
		s := &servant{}
		all[filepath.Base(filepath.Dir(conf))] = s
		for _, pid := range pids {
			p, err := holdProcess(pid, func(pid int) bool { return dnsmasqConfOf(pid) == conf })
			if err != nil {
				continue
			}
			if s.process != nil {
				err = p.kill()
				_ = p.fd.Close()
				if err != nil {
					return err
				}
				continue
			}
			s.process = p
			e.watch(p, func() { e.dnsmasqDied(s, p) })
		}
	}
	e.servants.all = all
	return nil
}

// findDnsmasqs lists the processes that run dnsmasq with a file below a folder, by that file.
func findDnsmasqs(below string) (map[string][]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	found := map[string][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if conf := dnsmasqConfOf(pid); strings.HasPrefix(conf, below) {
			found[conf] = append(found[conf], pid)
		}
	}
	return found, nil
}

// dnsmasqConfOf is the configuration file of a process that is a dnsmasq as we start them, else "".
func dnsmasqConfOf(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	args := bytes.Split(text, []byte{0})
	if len(args) < 2 || !strings.Contains(filepath.Base(string(args[0])), "dnsmasq") {
		return ""
	}
	conf, _ := strings.CutPrefix(string(args[1]), "--conf-file=")
	return conf
}

// endDnsmasqs ends the processes with a configuration file whose path begins so.
func endDnsmasqs(below string) error {
	confs, err := findDnsmasqs(below)
	failed := []error{err}
	for conf, pids := range confs {
		for _, pid := range pids {
			p, err := holdProcess(pid, func(pid int) bool { return dnsmasqConfOf(pid) == conf })
			if err != nil {
				continue
			}
			failed = append(failed, p.end())
			_ = p.fd.Close()
		}
	}
	return errors.Join(failed...)
}

// purgeDnsmasqs ends all that are of this instance and removes their files.
func (e *Engine) purgeDnsmasqs() error {
	if err := endDnsmasqs(e.dnsmasqDir() + "/"); err != nil {
		return err
	}
	return removeAll(e.dnsmasqDir())
}
