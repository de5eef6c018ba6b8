package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// newLog logs to w: text where a person reads it, JSON where a program does.
func newLog(w io.Writer, debug bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		options.Level = slog.LevelDebug
	}
	if terminal(w) {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// logLimit is how large a log file grows before it becomes the old one, in bytes.
const logLimit = 16 << 20

// logFile is a log of bounded size: what does not fit moves to a file with the suffix ".1", and the one before it goes.
// Several processes may write to one, a line at a time.
type logFile struct {
	path  string
	limit int64

	mu sync.Mutex
}

// Write appends a line. The file is opened for each: whoever turns it over need not tell the others, and a log that
// somebody removed comes back.
func (l *logFile) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, err := l.open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Write(line)
}

func (l *logFile) open() (*os.File, error) {
	// Never through a link: the engine is root, and the folder belongs to another user.
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW
	f, err := os.OpenFile(l.path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	info, err := f.Stat()
	if err != nil || info.Size() < l.limit {
		return f, err
	}
	_ = f.Close()
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return nil, fmt.Errorf("turn the log over: %w", err)
	}
	return os.OpenFile(l.path, flags, 0o600)
}
