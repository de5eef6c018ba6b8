package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/ini.v1"
)

// Load reads a file. The name "" stands for DefaultFile where that exists, and for the defaults where not.
func Load(name string) (Config, error) {
	file := name
	if file == "" {
		file = DefaultFile
	}
	data, err := os.ReadFile(file)
	if name == "" && errors.Is(err, fs.ErrNotExist) {
		return Default(), nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	c, err := Parse(file, data)
	if err != nil {
		return Config{}, err
	}
	return c, c.readAvi(file)
}

// Parse reads the text of a file; name stands in errors only. Each thing that is wrong is an error, all of them joined.
func Parse(name string, data []byte) (Config, error) {
	f, err := ini.LoadSources(ini.LoadOptions{
		AllowShadows:               true, // a repeated option is a list
		AllowDuplicateShadowValues: true,
		IgnoreInlineComment:        true, // a password may hold a #
		IgnoreContinuation:         true, // and end in a backslash
		ChildSectionDelimiter:      "\x00",
	}, bytes.NewReader(data))
	if err != nil {
		return Config{}, unreadable(name, data, err)
	}
	c := Default()
	c.Policy = defaultPolicy()
	d := decoder{name: name, data: data, options: c.options()}
	early, late := sections(f)
	for _, section := range early {
		d.section(section)
	}
	d.halfRead = len(d.errs) > 0
	d.addAvi(&c)
	for _, section := range late {
		d.section(section)
	}
	if len(d.errs) > 0 {
		return Config{}, errors.Join(d.errs...)
	}
	c.Network.settle()
	if err := errors.Join(c.check(name), c.checkNetwork(name)); err != nil {
		return Config{}, err
	}
	if err := c.checkAvi(name); err != nil {
		return Config{}, err
	}
	c.Policy = c.Policy.in(filepath.Dir(name))
	return c, nil
}

// unreadable is the error of a file that is not in the form of INI. The library's words have the line in them, which may be that of a
// password.
func unreadable(name string, data []byte, err error) error {
	n, why := 0, "cannot be read as lines of the form option = value"
	if e, ok := errors.AsType[ini.ErrDelimiterNotFound](err); ok {
		n, why = numberOf(data, e.Line), "key-value delimiter not found: want option = value"
	}
	if e, ok := errors.AsType[ini.ErrEmptyKeyName](err); ok {
		n, why = numberOf(data, e.Line), "has no option before its ="
	}
	if strings.Contains(err.Error(), "missing closing key quote") {
		why = "a ` or \"\"\" that begins an option or its value has no end"
	}
	if n > 0 {
		return fmt.Errorf("%s:%d: %s", name, n, why)
	}
	return fmt.Errorf("%s: %s", name, why)
}

// numberOf finds a line by its text, with or without blanks around; 0 when it cannot tell.
func numberOf(data []byte, text string) int {
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		if strings.TrimSpace(line) == strings.TrimSpace(text) {
			return n
		}
	}
	return 0
}

// sections puts those first that say which providers there are, and so which other sections.
func sections(f *ini.File) (early, late []*ini.Section) {
	for _, s := range f.Sections() {
		if s.Name() == "service_providers" || s.Name() == "api_settings" {
			early = append(early, s)
		} else {
			late = append(late, s)
		}
	}
	return early, late
}

// addAvi makes the sections known of the providers that have one.
func (d *decoder) addAvi(c *Config) {
	for _, name := range c.aviProviders() {
		if d.knows(name) || absent[name] != "" {
			d.fail("service_providers", "service_provider", "names its provider "+name+", as a section of another meaning is named: choose another name")
			continue
		}
		if c.Avi == nil {
			c.Avi = map[string]*Avi{}
		}
		a := defaultAvi()
		c.Avi[name] = &a
		d.options = append(d.options, aviOptions(name, &a)...)
	}
}

type decoder struct {
	name    string
	data    []byte
	options []option
	errs    []error
	// halfRead says that which providers there are is not known to the end.
	halfRead bool
}

// knows tells whether there are options of a section.
func (d *decoder) knows(section string) bool {
	return slices.ContainsFunc(d.options, func(o option) bool { return o.section == section })
}

func (d *decoder) section(s *ini.Section) {
	switch why, isAbsent := absent[s.Name()]; {
	case d.knows(s.Name()):
	case isAbsent:
		d.fail(s.Name(), "", "is not available in this build: there is no way to use "+why+" yet; remove the section")
		return
	case d.halfRead && s.HasKey("address"):
		return // it may well be that of a provider
	default:
		d.fail(s.Name(), "", "is unknown"+d.hint(s))
		return
	}
	for _, key := range s.Keys() {
		d.key(s.Name(), key)
	}
}

// hint tells why the section of a provider is not taken for one.
func (d *decoder) hint(s *ini.Section) string {
	name := strings.ToLower(s.Name())
	switch {
	case !s.HasKey("address"):
		return ""
	case d.knows(name):
		return ": write [" + name + "]"
	}
	return ": no line of [service_providers] names a provider " + name + " with the driver " + AviDriver
}

func (d *decoder) key(section string, key *ini.Key) {
	i := slices.IndexFunc(d.options, func(o option) bool { return o.section == section && o.name == key.Name() })
	if i < 0 {
		d.fail(section, key.Name(), "is unknown")
		return
	}
	// Raw values: String() would replace %(name)s, and a password may hold that.
	values := key.ValueWithShadows()
	if len(values) == 0 {
		values = []string{""}
	}
	if err := d.options[i].set(values); err != nil {
		d.fail(section, key.Name(), err.Error())
	}
}

func (d *decoder) fail(section, key, why string) {
	place := d.name
	if n := lineOf(d.data, section, key); n > 0 {
		place = fmt.Sprintf("%s:%d", d.name, n)
	}
	what := "section [" + section + "]"
	if key != "" {
		what = "option " + key + " in [" + section + "]"
	}
	d.errs = append(d.errs, fmt.Errorf("%s: %s %s", place, what, why))
}

// lineOf finds the line on which a section, or an option of it, first stands; 0 when it cannot tell. The INI library
// keeps no line numbers.
func lineOf(data []byte, section, key string) int {
	in := ini.DefaultSection
	n := 0
	for line := range strings.Lines(string(data)) {
		n++
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "["); ok {
			name, _, _ = strings.Cut(name, "]")
			in = strings.TrimSpace(name)
			if key == "" && in == section {
				return n
			}
			continue
		}
		end := strings.IndexAny(line, "=:")
		if key != "" && in == section && end >= 0 && strings.Trim(line[:end], " \t\"`") == key {
			return n
		}
	}
	return 0
}
