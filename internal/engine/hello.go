package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"strings"

	"plimsoll/internal/engine/enginepb"
)

// Hello tells who answers.
func (e *Engine) Hello(ctx context.Context, _ *enginepb.HelloRequest) (*enginepb.HelloReply, error) {
	return &enginepb.HelloReply{
		Version:        e.config.Version,
		Instance:       e.config.Instance,
		Host:           e.config.Host,
		HaproxyVersion: e.haproxyVersion(ctx),
		Pid:            int64(os.Getpid()),
		Binary:         e.digest(),
		Processes:      e.done.processes.Load(),
		Starts:         e.done.starts.Load(),
		Reloads:        e.done.reloads.Load(),
		RuntimeChanges: e.done.changes.Load(),
		Options:        e.config.Options,
	}, nil
}

// haproxyVersion is the third word of what HAProxy says of itself, or "".
func (e *Engine) haproxyVersion(ctx context.Context) string {
	program, err := e.program()
	if err != nil {
		return ""
	}
	output, err := finishCommand(command(ctx, program, "-v"), (*exec.Cmd).Start)
	words := strings.Fields(string(output))
	if err != nil || len(words) < 3 {
		return ""
	}
	return words[2]
}

// Digest is over the program that runs, or "" where it cannot be read. Hello tells it as Binary.
func Digest() string {
	f, err := os.Open("/proc/self/exe")
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}
