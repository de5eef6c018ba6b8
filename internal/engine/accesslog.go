package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"plimsoll/internal/haproxy"
)

// Access logs: HAProxy writes its lines to a named pipe, which it holds open for reading, too, so that what is in it stays while there
// is no engine. The engine takes them out and puts them into a file. HAProxy could not be given that file itself: it clears the mark
// by which lines of two processes are put one behind the other.
const (
	// logPipe is the pipe's name in the run directory.
	logPipe = "access.pipe"
	// logRoom is how much the pipe holds, in bytes. What comes when it is full is dropped by HAProxy, which counts it.
	logRoom = 1 << 20
	// logSize is how large an access log becomes before it is set aside, in bytes.
	logSize = 10 << 20
	// logsKept is how many that were set aside are kept, as access.log.1, which is the youngest, and so on.
	logsKept = 5
)

// accessLog takes a load balancer's lines from the pipe to the file. Its fields below pipe belong to its goroutine.
type accessLog struct {
	pipe *os.File
	path string // of the file
	file *os.File
	size int64
	lost int // lines that could not be written
}

// readers share the memory into which all pipes are read: it is as large as a pipe, so that what is read ends with a line.
type readers struct {
	mu     sync.Mutex
	memory []byte
}

// openPipe opens a load balancer's pipe, made where it is missing. An open end for both directions never waits for another.
func (b *balancer) openPipe() (*os.File, error) {
	path := b.path(logPipe)
	if err := unix.Mkfifo(path, 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, fmt.Errorf("make the access log's pipe: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the access log's pipe: %w", bare(err))
	}
	if info, err := f.Stat(); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		return nil, errors.Join(fmt.Errorf("%s is no pipe", logPipe), f.Close())
	}
	return f, nil
}

// logTo is the file that HAProxy is started with for its access log. Where there can be none it serves without: a log is no reason
// not to serve.
func (e *Engine) logTo(b *balancer) (*os.File, error) {
	err := e.followLog(b)
	if err == nil {
		var pipe *os.File
		if pipe, err = b.openPipe(); err == nil {
			return pipe, nil
		}
	}
	e.log.Error("no access log", "load_balancer", b.id, "err", err)
	return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
}

// adoptLog goes on with an access log that another engine began. A log that is switched off is read on: replaced processes may
// write yet.
func (e *Engine) adoptLog(b *balancer) {
	if _, err := os.Lstat(b.path(logPipe)); err != nil {
		return
	}
	if err := e.followLog(b); err != nil {
		e.log.Error("access log not read", "load_balancer", b.id, "err", err)
	}
}

// followLog makes lines be taken from the pipe to the file. The caller holds the load balancer's lock.
func (e *Engine) followLog(b *balancer) error {
	if b.log != nil {
		return nil
	}
	pipe, err := b.openPipe()
	if err != nil {
		return err
	}
	raw, err := pipe.SyscallConn()
	if err != nil {
		return errors.Join(err, pipe.Close())
	}
	_ = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, logRoom) })
	l := &accessLog{pipe: pipe, path: b.path(haproxy.LogFile)}
	b.log = l
	e.tasks.Go(func() {
		stop := context.AfterFunc(e.life, func() { _ = pipe.Close() })
		defer stop()
		// A pipe that is closed ends the reading.
		for err := error(nil); err == nil; {
			err = raw.Read(func(fd uintptr) bool { return e.moveLog(b, l, int(fd)) })
		}
		l.close()
	})
	return nil
}

func (b *balancer) stopLog() {
	if b.log != nil {
		_ = b.log.pipe.Close()
		b.log = nil
	}
}

// moveLog moves what is in the pipe, and tells whether there was anything.
func (e *Engine) moveLog(b *balancer, l *accessLog, pipe int) bool {
	e.logs.mu.Lock()
	defer e.logs.mu.Unlock()
	if e.logs.memory == nil {
		e.logs.memory = make([]byte, logRoom)
	}
	n, err := unix.Read(pipe, e.logs.memory)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return false
	}
	if err := l.take(e.logs.memory[:max(n, 0)]); err != nil {
		e.log.Warn("lines of an access log lost", "load_balancer", b.id, "lines", l.lost, "err", bare(err))
	}
	return true
}

// take writes whole lines. What HAProxy says of itself, that it stops for instance, is none of the access log's.
func (l *accessLog) take(text []byte) error {
	var lines []byte
	for line := range bytes.Lines(text) {
		if line[0] == '{' && line[len(line)-1] == '\n' {
			lines = append(lines, line...)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	err := l.write(lines)
	if err != nil {
		l.lost += bytes.Count(lines, []byte("\n"))
	}
	return err
}

func (l *accessLog) write(lines []byte) error {
	if l.file != nil && l.size+int64(len(lines)) > logSize {
		l.close()
		if err := setAside(l.path); err != nil {
			return errors.Join(err, os.Truncate(l.path, 0)) // it must not fill the disk
		}
	}
	if err := l.open(); err != nil {
		return err
	}
	n, err := l.file.Write(lines)
	if err != nil { // half a line is none
		return errors.Join(err, l.file.Truncate(l.size))
	}
	l.size += int64(n)
	return nil
}

// open opens the file. Half a line, which an engine leaves that is killed, is taken off.
func (l *accessLog) open() error {
	if l.file != nil {
		return nil
	}
	f, err := os.OpenFile(l.path, os.O_RDWR|os.O_APPEND|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	size, err := endOfLines(f)
	if err == nil {
		err = f.Truncate(size)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	l.file, l.size = f, size
	return nil
}

// endOfLines is where the last whole line of a file ends.
func endOfLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	tail := make([]byte, min(info.Size(), haproxy.LogLine))
	if _, err := f.ReadAt(tail, info.Size()-int64(len(tail))); err != nil {
		return 0, err
	}
	return info.Size() - int64(len(tail)) + int64(bytes.LastIndexByte(tail, '\n')+1), nil
}

func (l *accessLog) close() {
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
	}
}

// setAside makes a log the first of those that are kept, which move on by one; the last goes.
func setAside(path string) error {
	for n := logsKept; n > 0; n-- {
		from := path
		if n > 1 {
			from = path + "." + strconv.Itoa(n-1)
		}
		if err := os.Rename(from, path+"."+strconv.Itoa(n)); err != nil && !errors.Is(err, syscall.ENOENT) {
			return fmt.Errorf("set %s aside: %w", filepath.Base(path), bare(err))
		}
	}
	return nil
}
