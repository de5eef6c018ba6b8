// Command summary reads the output of "go test -json" and prints what a person wants of it: each package's closing line,
// everything that failed with its output, and one line of totals. It fails when a test failed or was skipped, when
// something did not build, and when no test ran.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	if !summarise(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// event is what "go doc test2json" describes.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type summary struct {
	out                     io.Writer
	passed, failed, skipped int
	broken                  []string // packages that failed without a failed test: they did not build, or died
	skips                   []string
	running                 map[string]map[string]*strings.Builder // package, test → its output
}

// summarise reports whether all is well.
func summarise(in io.Reader, out io.Writer) bool {
	s := &summary{out: out, running: map[string]map[string]*strings.Builder{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			s.line(line)
		}
		if err != nil {
			break
		}
	}
	return s.close()
}

func (s *summary) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		_, _ = s.out.Write(line)
		return
	}
	switch e.Action {
	case "output":
		s.output(e).WriteString(e.Output)
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "pass", "fail", "skip":
		s.end(e)
	}
}

func (s *summary) output(e event) *strings.Builder {
	tests := s.running[e.Package]
	if tests == nil {
		tests = map[string]*strings.Builder{}
		s.running[e.Package] = tests
	}
	if tests[e.Test] == nil {
		tests[e.Test] = &strings.Builder{}
	}
	return tests[e.Test]
}

func (s *summary) end(e event) {
	if e.Test == "" {
		s.endPackage(e)
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "fail":
		s.failed++
		fmt.Fprintf(s.out, "%s\n%s", e.Package, s.output(e).String())
	case "skip":
		s.skipped++
		s.skips = append(s.skips, e.Package+" "+e.Test+"\n"+s.output(e).String())
	}
	delete(s.running[e.Package], e.Test)
}

func (s *summary) endPackage(e event) {
	text := s.output(e).String()
	delete(s.running[e.Package], "")
	if e.Action == "fail" {
		// What is still running died with the package.
		for test, output := range s.running[e.Package] {
			fmt.Fprintf(s.out, "%s %s did not end\n%s", e.Package, test, output.String())
		}
		s.broken = append(s.broken, e.Package)
	}
	delete(s.running, e.Package)
	for line := range strings.Lines(text) {
		if e.Action == "fail" && strings.TrimSpace(line) != "FAIL" || strings.HasPrefix(line, "ok ") {
			fmt.Fprint(s.out, line)
		}
	}
}

func (s *summary) close() bool {
	for _, skip := range s.skips {
		fmt.Fprintf(s.out, "SKIPPED %s", skip)
	}
	for _, name := range s.broken {
		fmt.Fprintf(s.out, "FAILED %s\n", name)
	}
	failed := s.failed
	if failed == 0 {
		failed = len(s.broken)
	}
	fmt.Fprintf(s.out, "%d passed, %d failed", s.passed, failed)
	if s.skipped > 0 {
		fmt.Fprintf(s.out, ", %d skipped", s.skipped)
	}
	fmt.Fprintln(s.out)
	return failed == 0 && s.skipped == 0 && s.passed > 0
}
