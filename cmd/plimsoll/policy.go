package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"plimsoll/internal/config"
	"plimsoll/internal/identity"
	"plimsoll/internal/policy"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Look at who may do what",
		Long: `Policy shows the rules by which the load-balancing API says who may do what: those that are built in, and those that an
operator put over them in policy.yaml.`,
		Args: arguments(known),
		RunE: noCommand,
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(policyShowCommand())
	return cmd
}

// policyShow are the flags of "plimsoll policy show".
type policyShow struct {
	config, rule, format string
	roles                []string
}

var policyFormats = []string{"text", "yaml", "json"}

func policyShowCommand() *cobra.Command {
	var o policyShow
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print the rules as they hold",
		Long: `Show reads the configuration and the policy files as the server does, and prints every rule as it holds, and where it stands:
"default", or a file and a line. The part of the legacy roles (load-balancer_*) is in it, unless the new defaults are
enforced. What is odd about the rules is told on standard error. A file that cannot be used is an error: a running server would
go on with its old rules, and a new one would not start.

With --actor-roles it also says what a token with those roles is let do: to an object of its own project, to one of another
project, and when the token is for the whole system.

The format yaml is that of policy.yaml.`,
		Example: `  plimsoll policy show --rule loadbalancer:post
  plimsoll policy show --actor-roles reader,load-balancer_member`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return o.run(cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "the configuration (default "+config.DefaultFile+", if it is there)")
	cmd.Flags().StringVar(&o.rule, "rule", "", "print this rule only")
	cmd.Flags().StringVar(&o.format, "format", "text", strings.Join(policyFormats, ", "))
	cmd.Flags().StringSliceVar(&o.roles, "actor-roles", nil, "say what a token with these roles may do")
	_ = cmd.MarkFlagFilename("config")
	_ = cmd.RegisterFlagCompletionFunc("rule", cobra.FixedCompletions(policy.Rules(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(policyFormats, cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("actor-roles", cobra.NoFileCompletions)
	return cmd
}

// newPolicy reads the rules that a configuration names.
func newPolicy(c config.Policy, log *slog.Logger) (*policy.Enforcer, error) {
	return policy.New(policy.Options{
		File: c.File, Dirs: c.Dirs, DefaultRule: c.DefaultRule, EnforceScope: c.EnforceScope, EnforceNewDefaults: c.EnforceNewDefaults, Log: log,
	})
}

func (o policyShow) run(out, warn io.Writer) error {
	if !slices.Contains(policyFormats, o.format) {
		return &usageError{fmt.Errorf("--format %s: want one of %s", o.format, strings.Join(policyFormats, ", "))}
	}
	c, err := config.Load(o.config)
	if err != nil {
		return err
	}
	e, err := newPolicy(c.Policy, nil)
	if err != nil {
		return err
	}
	rules, err := o.choose(e.Rules())
	if err != nil {
		return err
	}
	for _, w := range e.Warnings() {
		fmt.Fprintf(warn, "plimsoll: warning: %s\n", w)
	}
	shown := make([]shownRule, len(rules))
	for i, r := range rules {
		shown[i] = o.show(r)
	}
	if o.format == "json" {
		enc := json.NewEncoder(out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(map[string]any{"files": e.Files(), "rules": shown, "warnings": append([]string{}, e.Warnings()...)})
	}
	origin := "# the defaults; " + c.Policy.File + " is not there\n"
	if files := e.Files(); len(files) > 0 {
		origin = "# " + strings.Join(files, ", ") + ", over the defaults\n"
	}
	if _, err := io.WriteString(out, origin); err != nil {
		return err
	}
	if o.format == "yaml" {
		return printYAML(out, shown)
	}
	return o.printText(out, shown)
}

// choose picks the rule that is asked for, whose name may lack the prefix.
func (o policyShow) choose(rules []policy.Rule) ([]policy.Rule, error) {
	if o.rule == "" {
		return rules, nil
	}
	for _, name := range []string{o.rule, policy.Prefix + o.rule} {
		if i := slices.IndexFunc(rules, func(r policy.Rule) bool { return r.Name == name }); i >= 0 {
			return rules[i : i+1], nil
		}
	}
	return nil, &usageError{fmt.Errorf("there is no rule %q", o.rule)}
}

// shownRule is a rule as it is printed.
type shownRule struct {
	Name    string      `json:"name"`
	Check   string      `json:"check"`
	From    string      `json:"from"`
	Default string      `json:"default,omitempty"`
	Allows  *allowances `json:"allows,omitempty"`
}

// allowances are what a rule lets somebody do.
type allowances struct {
	Own     bool `json:"own_project"`
	Foreign bool `json:"other_project"`
	System  bool `json:"system"`
}

func (o policyShow) show(r policy.Rule) shownRule {
	s := shownRule{Name: r.Name, Check: r.Check, From: r.From, Default: r.Default}
	if len(o.roles) > 0 {
		member := &identity.Actor{UserID: "user", ProjectID: "own", Roles: o.roles}
		system := &identity.Actor{UserID: "user", System: true, Roles: o.roles}
		s.Allows = &allowances{r.Allows(member, "own"), r.Allows(member, "other"), r.Allows(system, "other")}
	}
	return s
}

func (o policyShow) printText(out io.Writer, rules []shownRule) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	head := "RULE\t"
	if len(o.roles) > 0 {
		head += "OWN\tOTHER\tSYSTEM\t"
	}
	fmt.Fprintln(w, head+"FROM\tCHECK")
	for _, r := range rules {
		fmt.Fprintf(w, "%s\t", r.Name)
		if a := r.Allows; a != nil {
			fmt.Fprintf(w, "%s\t%s\t%s\t", yesNo(a.Own), yesNo(a.Foreign), yesNo(a.System))
		}
		fmt.Fprintf(w, "%s\t%s\n", r.From, r.Check)
	}
	return w.Flush()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// printYAML writes a policy.yaml that says the same. JSON's strings are YAML's, too.
func printYAML(out io.Writer, rules []shownRule) error {
	for _, r := range rules {
		comment := "from " + r.From
		if a := r.Allows; a != nil {
			comment += fmt.Sprintf("; own project: %s, other project: %s, system: %s", yesNo(a.Own), yesNo(a.Foreign), yesNo(a.System))
		}
		name, err := json.Marshal(r.Name)
		if err != nil {
			return err
		}
		check, err := json.Marshal(r.Check)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "# %s\n%s: %s\n", comment, name, check); err != nil {
			return err
		}
	}
	return nil
}
