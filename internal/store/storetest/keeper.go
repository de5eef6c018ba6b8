package storetest

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// keeper is a small process of its own that runs a server and waits for the end of its input, which comes when this process
// ends, be it by SIGKILL: then it ends the server and removes its directory. A parent-death signal alone would leave the directory.
type keeper struct {
	dir string
	cmd *exec.Cmd
	in  io.Closer
}

// keep is the keeper's script: $1 is the signal, $2 the server's script, the rest its arguments. The server has a session of its
// own, so that the signal reaches whatever it has started, and so has the keeper, so that ^C does not.
const keep = `signal=$1 script=$2
shift 2
setsid sh -c "$script" server "$@" </dev/null >"$dir/log" 2>&1 &
server=$!
(while kill -0 $server; do sleep 0.05; done 2>/dev/null; : >"$dir/ended") &
watcher=$!
read -r _
kill $watcher
kill -s "$signal" -- -$server
wait
rm -rf "$dir"`

func newKeeper(as *user.User, signal, script string, args []string) (*keeper, error) {
	dir, err := os.MkdirTemp("/tmp", "plimsoll-database-") // not below $TMPDIR, which the server's user may not reach
	if err != nil {
		return nil, err
	}
	k := &keeper{dir: dir}
	if err := k.start(as, append([]string{signal, script}, args...)); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return k, nil
}

func (k *keeper) start(as *user.User, args []string) error {
	k.cmd = exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", keep, "keeper"}, args...)...)
	k.cmd.Dir = k.dir
	k.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=" + k.dir, "dir=" + k.dir}
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if as != nil {
		uid, _ := strconv.Atoi(as.Uid)
		gid, _ := strconv.Atoi(as.Gid)
		k.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(k.dir, uid, gid); err != nil {
			return err
		}
	}
	in, err := k.cmd.StdinPipe()
	if err != nil {
		return err
	}
	k.in = in
	return k.cmd.Start()
}

// ended tells whether the server has ended, and what it said.
func (k *keeper) ended() (string, bool) {
	if _, err := os.Stat(filepath.Join(k.dir, "ended")); err != nil {
		return "", false
	}
	return k.log(), true
}

// log returns the end of what the server has said.
func (k *keeper) log() string {
	text, err := os.ReadFile(filepath.Join(k.dir, "log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

// stop ends the server and returns when nothing of it is left.
func (k *keeper) stop() {
	_ = k.in.Close()
	_ = k.cmd.Wait()
}
