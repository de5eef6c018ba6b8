package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The pages that walk through the code show lines of files. They must be there.
func TestPagesShowTheFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"adding-a-field.md", "adding-a-provider.md"} {
		t.Run(name, func(t *testing.T) { showsTheFiles(t, name) })
	}
}

func showsTheFiles(t *testing.T, name string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("../../docs", name))
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, block := range strings.Split(string(page), "```")[1:] {
		lines := strings.Split(block, "\n")
		name, ok := fileShown(lines)
		if !ok {
			continue
		}
		content, err := os.ReadFile(filepath.Join("..", "..", name))
		if err != nil {
			t.Errorf("the page shows %s: %v", name, err)
			continue
		}
		for _, line := range lines[2:] {
			if line = words(line); line == "" {
				continue
			}
			shown++
			if !strings.Contains(words(string(content)), line) {
				t.Errorf("the page shows a line that %s does not have: %s", name, line)
			}
		}
	}
	if shown < 10 {
		t.Errorf("the page shows %d lines", shown)
	}
}

// fileShown reads the first line of a block: a comment that names a file of this repository.
func fileShown(lines []string) (name string, ok bool) {
	if len(lines) < 2 || strings.TrimSpace(lines[0]) == "" {
		return "", false
	}
	for _, mark := range []string{"// ", "-- "} {
		if name, ok = strings.CutPrefix(lines[1], mark); ok {
			return name, strings.Contains(name, "/")
		}
	}
	return "", false
}

// words is a text with single spaces: alignment does not count.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }
