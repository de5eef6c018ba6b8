package policy

import (
	"bytes"
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"plimsoll/internal/identity"
)

// Options say where an operator's rules are and how they are taken.
type Options struct {
	// File is the operator's policy file, YAML or JSON; "" and a file that is not there stand for none.
	File string
	// Dirs are folders of further files, which come before File: of two files, the later by name. They need not be there.
	Dirs []string
	// DefaultRule names the rule that stands in for those that are named and not there; "" is "default".
	DefaultRule string
	// EnforceScope refuses tokens for a domain, with which nothing here has to do.
	EnforceScope bool
	// EnforceNewDefaults leaves the legacy roles (load-balancer_*) out of the defaults.
	EnforceNewDefaults bool
	// Log is told of rules that are read again, of those that could not be, and of warnings; nil is nobody.
	Log *slog.Logger
}

// Enforcer judges who may do what. It is safe for concurrent use. Files that change are read again within a second or
// two of the next question; the rules change all at once, and stay as they are when what is new cannot be used.
type Enforcer struct {
	settings settings
	source   source
	scope    bool
	log      *slog.Logger

	rules atomic.Pointer[ruleset]

	born time.Time
	next atomic.Int64 // when to look at the files again, after born

	reading sync.Mutex // guards what follows
	files   []file     // as they were last taken
	found   []file     // as they were last found
	seen    time.Time  // when that was
	broken  bool       // they cannot be used
	problem string     // what was told last
}

// lookEvery is the time between two looks at the files.
const lookEvery = time.Second

// New reads the operator's rules over the defaults. What cannot be used is an error that names the file, the line and the
// rule.
func New(o Options) (*Enforcer, error) {
	e := &Enforcer{
		settings: settings{newDefaults: o.EnforceNewDefaults, fallback: cmp.Or(o.DefaultRule, "default")},
		source:   source{file: o.File, dirs: o.Dirs},
		scope:    o.EnforceScope, log: o.Log, born: time.Now(),
	}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	e.next.Store(int64(lookEvery))
	set, files, err := e.load()
	if err != nil {
		return nil, fmt.Errorf("read the policy: %w", err)
	}
	e.files, e.seen = files, e.born
	e.use(set)
	return e, nil
}

// Default returns the rules of a deployment whose operator wrote none.
func Default() *Enforcer {
	e, err := New(Options{EnforceScope: true})
	if err != nil {
		panic(err) // the built-in rules are at fault, which a test would have shown
	}
	return e
}

// Allowed tells whether the actor may do what the rule names to an object of the project. For lists over all projects
// ("…-global") and for what belongs to nobody, the project does not count. An unknown rule allows nothing.
func (e *Enforcer) Allowed(actor *identity.Actor, rule, projectID string) bool {
	if actor == nil || e.scope && actor.DomainID != "" {
		return false
	}
	e.look()
	c, known := e.rules.Load().checks[rule]
	return known && c(actor, projectID)
}

// Rules returns all rules as they hold now: the building blocks, the API's, and what an operator wrote beside them.
func (e *Enforcer) Rules() []Rule {
	e.look()
	return slices.Clone(e.rules.Load().rules)
}

// Warnings returns what is odd about the rules that hold now.
func (e *Enforcer) Warnings() []string { return slices.Clone(e.rules.Load().warnings) }

// Files returns the paths of the operator's files that were found.
func (e *Enforcer) Files() []string {
	e.reading.Lock()
	defer e.reading.Unlock()
	paths := make([]string, len(e.files))
	for i, f := range e.files {
		paths[i] = f.path
	}
	return paths
}

// load reads everything anew.
func (e *Enforcer) load() (*ruleset, []file, error) {
	files, _, err := e.source.find()
	if err != nil {
		return nil, nil, err
	}
	if err := read(files); err != nil {
		return nil, nil, err
	}
	set, err := assemble(e.settings, files)
	return set, files, err
}

// assemble makes the rules of files.
func assemble(s settings, files []file) (*ruleset, error) {
	own, err := merge(files)
	if err != nil {
		return nil, err
	}
	return combine(s, own)
}

func (e *Enforcer) use(set *ruleset) {
	e.rules.Store(set)
	for _, w := range set.warnings {
		e.log.Warn("policy", "warning", w)
	}
}

// look reads the files again when they changed. Most of the time it only looks at the clock.
func (e *Enforcer) look() {
	if e.source.file == "" && len(e.source.dirs) == 0 {
		return
	}
	now, due := int64(time.Since(e.born)), e.next.Load()
	if now < due || !e.next.CompareAndSwap(due, now+int64(lookEvery)) || !e.reading.TryLock() {
		return
	}
	defer e.reading.Unlock()
	e.reload()
}

// reload takes new rules if there are any that can be used. Each problem is told once.
func (e *Enforcer) reload() {
	now := time.Now()
	files, err := e.fetch()
	if err != nil {
		e.keep(err)
		return
	}
	same := slices.EqualFunc(e.files, files, sameText)
	e.files, e.seen = files, now
	if same {
		if !e.broken {
			e.problem = ""
		}
		return
	}
	set, err := assemble(e.settings, files)
	if e.broken = err != nil; e.broken {
		e.keep(err)
		return
	}
	e.problem = ""
	e.log.Info("policy read again", "files", len(files))
	e.use(set)
}

// fetch finds the files, and reads them if they changed.
func (e *Enforcer) fetch() ([]file, error) {
	files, changed, err := e.source.find()
	if err != nil {
		return nil, err
	}
	if err := e.stillThere(files); err != nil {
		return nil, err
	}
	before := e.found
	e.found = files
	atRest := time.Since(changed) >= writing || slices.EqualFunc(before, files, sameStamp)
	if e.unchanged(files) || !atRest {
		return e.files, nil
	}
	return files, read(files)
}

// writing is how long who writes a file in place may take between emptying it and filling it, or between removing one of a folder's
// files and putting the new one there: rules that are missing are the defaults, which may allow more. What has changed later than that
// is looked at once more before it counts.
const writing = lookEvery / 2

func (e *Enforcer) keep(err error) {
	if e.problem != err.Error() {
		e.problem = err.Error()
		e.log.Error("policy not read, the rules stay as they were", "err", err)
	}
}

// stillThere refuses to go back to the defaults, which may allow more, only because a file went away: it may be on its
// way back.
func (e *Enforcer) stillThere(files []file) error {
	had := func(list []file) bool {
		return slices.ContainsFunc(list, func(f file) bool { return f.path == e.source.file })
	}
	if had(e.files) && !had(files) {
		return fmt.Errorf("%s is gone; empty it, or start anew, to go back to the defaults", e.source.file)
	}
	return nil
}

// settling is how long after a change another could leave a file's time as it is: the clocks of file systems are coarse.
const settling = 2 * time.Second

func (e *Enforcer) unchanged(files []file) bool {
	return slices.EqualFunc(e.files, files, func(a, b file) bool {
		return sameStamp(a, b) && a.info.ModTime().Before(e.seen.Add(-settling))
	})
}

func sameStamp(a, b file) bool {
	return a.path == b.path && os.SameFile(a.info, b.info) && a.info.Size() == b.info.Size() && a.info.ModTime().Equal(b.info.ModTime())
}

func sameText(a, b file) bool { return a.path == b.path && bytes.Equal(a.data, b.data) }
