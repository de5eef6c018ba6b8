package haproxy

import (
	"fmt"
	"strings"
)

// A Step is one command of HAProxy's Runtime API.
type Step struct {
	Command string // without the line break
	// Payload are the lines that follow the command, none of which is empty. There may be private keys among them.
	Payload string

	answers []string
	last    bool // answers are of the last line only
	version bool // the answer tells the version of a map that is begun
}

// Check returns nil when HAProxy's answer says that the step is done.
func (s Step) Check(answer string) error {
	answer = strings.TrimSpace(answer)
	told := answer
	if s.last {
		told = told[strings.LastIndexByte(told, '\n')+1:]
	}
	for _, want := range s.answers {
		if told == want {
			return nil
		}
	}
	if version, ok := strings.CutPrefix(answer, versionAnswer); s.version && ok && isNumber(version) {
		return nil
	}
	return fmt.Errorf("%s: HAProxy answers %q", s.Command, answer)
}

const (
	// newVersion stands in a command for the version of a map that was begun last.
	newVersion    = "@new"
	versionAnswer = "New version created: "
)

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// A Dialogue carries steps out in their order: what HAProxy answered to one is part of the next.
type Dialogue struct{ version string }

// Question is the text that HAProxy reads for a step, without the line break at its end.
func (d *Dialogue) Question(s Step) string {
	text := s.Command
	if d.version != "" {
		text = strings.Replace(text, " "+newVersion+" ", " @"+d.version+" ", 1)
	}
	if s.Payload != "" {
		text += " <<\n" + s.Payload + "\n"
	}
	return text
}

// Answer is Step.Check for the step that was asked last.
func (d *Dialogue) Answer(s Step, answer string) error {
	if err := s.Check(answer); err != nil {
		return err
	}
	if s.version {
		d.version = strings.TrimPrefix(strings.TrimSpace(answer), versionAnswer)
	}
	return nil
}
