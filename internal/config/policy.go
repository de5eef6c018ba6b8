package config

import "path/filepath"

// Policy is [oslo_policy]: who may do what.
type Policy struct {
	// File is the operator's rules; it need not be there. In the configuration a relative name starts at the folder of the
	// configuration.
	File string
	// Dirs are folders with more of them.
	Dirs []string
	// DefaultRule is the rule that stands in for those that others name and that are not there.
	DefaultRule string
	// EnforceScope refuses tokens of a scope that load balancers know nothing of.
	EnforceScope bool
	// EnforceNewDefaults gives the legacy roles (load-balancer_*) no rights by default.
	EnforceNewDefaults bool
}

func defaultPolicy() Policy {
	return Policy{File: "policy.yaml", Dirs: []string{"policy.d"}, DefaultRule: "default", EnforceScope: true}
}

// in makes the paths absolute.
func (p Policy) in(dir string) Policy {
	path := func(name string) string {
		if name == "" || filepath.IsAbs(name) {
			return name
		}
		return filepath.Join(dir, name)
	}
	dirs := make([]string, len(p.Dirs))
	for i, name := range p.Dirs {
		dirs[i] = path(name)
	}
	p.File, p.Dirs = path(p.File), dirs
	return p
}

func (c *Config) policyOptions() []option {
	p := &c.Policy
	return []option{
		{section: "oslo_policy", name: "policy_file", set: text(&p.File)},
		{section: "oslo_policy", name: "policy_dirs", set: texts(&p.Dirs)},
		{section: "oslo_policy", name: "policy_default_rule", set: required(&p.DefaultRule)},
		{section: "oslo_policy", name: "enforce_scope", set: boolean(&p.EnforceScope)},
		{section: "oslo_policy", name: "enforce_new_defaults", set: boolean(&p.EnforceNewDefaults)},
	}
}

// texts reads an option that may be repeated. An empty one is none.
func texts(into *[]string) func([]string) error {
	return func(values []string) error {
		var list []string
		for _, v := range values {
			if v != "" {
				list = append(list, v)
			}
		}
		*into = list
		return nil
	}
}
