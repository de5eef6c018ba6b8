package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"plimsoll/internal/provider/avi/avitest"
)

const (
	aviShellTimeout = 30 * time.Second
	aviShellAnswer  = 64 << 20 // bytes of an answer at most
	aviShellPage    = "200"
)

// aviShell shows what a controller has, as the shell of a real one does.
type aviShell struct {
	address  string
	user     string
	password string
	tenant   string
	caFile   string

	client  *http.Client
	version string // of the controller
	single  bool   // the kind has but one object
}

func aviShowCommand() *cobra.Command {
	var s aviShell
	cmd := &cobra.Command{
		Use:   "show KIND [NAME]",
		Short: "Show what an emulator has, as the Avi shell does",
		Long: `Show lists the objects of a kind ("virtualservice", "pool", "vsvip", "vrfcontext"), or shows one of them by name, with the tables of
the Avi shell. It speaks to a running "plimsoll avi-emulator" over its API, and to a controller alike. A certificate is
checked against --ca-file; without it only one on this host is spoken to.`,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error { return s.show(cmd.Context(), args, cmd.OutOrStdout()) },
	}
	f := cmd.Flags()
	f.StringVar(&s.address, "address", "127.0.0.1:9443", "`HOST:PORT` of the controller")
	f.StringVar(&s.user, "user", avitest.DefaultUser, "who logs in")
	f.StringVar(&s.password, "password", "", "with which `password` (or the variable "+aviPassword+")")
	f.StringVar(&s.tenant, "tenant", "admin", "the `name` of the tenant whose objects are shown; * is all")
	f.StringVar(&s.caFile, "ca-file", "", "a `file` with the certificate of the controller, or of who signed it")
	_ = cmd.MarkFlagFilename("ca-file")
	return cmd
}

// show prints the objects of a kind, or one of them.
func (s *aviShell) show(ctx context.Context, args []string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, aviShellTimeout)
	defer cancel()
	var err error
	if s.password, err = passwordOf(s.password); err != nil {
		return err
	}
	if err := s.connect(); err != nil {
		return err
	}
	if err := s.login(ctx); err != nil {
		return err
	}
	query := url.Values{"include_name": {"true"}, "page_size": {aviShellPage}}
	if len(args) == 2 {
		query.Set("name", args[1])
	}
	objects, err := s.list(ctx, args[0], query)
	if err != nil {
		return err
	}
	if len(args) == 1 && !s.single {
		_, err = io.WriteString(out, avitest.Table(objects))
		return err
	}
	if len(objects) == 0 {
		return fmt.Errorf("there is no %s %q in tenant %s", args[0], args[1], s.tenant)
	}
	for _, o := range objects {
		if _, err := io.WriteString(out, avitest.Detail(args[0], o)); err != nil {
			return err
		}
	}
	return nil
}

// connect makes the client, which holds the session's cookies.
func (s *aviShell) connect() error {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	host, _, err := net.SplitHostPort(s.address)
	switch {
	case err != nil:
		return &usageError{fmt.Errorf("--address %s: want HOST:PORT: %w", s.address, err)}
	case s.caFile != "":
		if config.RootCAs, err = readRoots(s.caFile); err != nil {
			return err
		}
	case !isLoopback(host):
		return &usageError{errors.New("the controller is not on this host: --ca-file has to name its certificate")}
	default:
		config.InsecureSkipVerify = true // nobody else can listen on this host
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	s.client = &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func readRoots(file string) (*x509.CertPool, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s has no certificate", file)
	}
	return pool, nil
}

func (s *aviShell) login(ctx context.Context) error {
	form := url.Values{"username": {s.user}, "password": {s.password}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+s.address+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var greeting struct {
		Version struct{ Version string }
	}
	if err := s.do(req, &greeting); err != nil {
		return fmt.Errorf("log in at %s: %w", s.address, err)
	}
	s.version = greeting.Version.Version
	return nil
}

// list reads all pages.
func (s *aviShell) list(ctx context.Context, kind string, query url.Values) ([]map[string]any, error) {
	var objects []map[string]any
	next := "https://" + s.address + "/api/" + url.PathEscape(kind) + "?" + query.Encode()
	for next != "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, next, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("X-Avi-Version", s.version)
		req.Header.Set("X-Avi-Tenant", s.tenant)
		page := map[string]any{}
		if err := s.do(req, &page); err != nil {
			return nil, fmt.Errorf("list %s: %w", kind, err)
		}
		results, isList := page["results"].([]any)
		if s.single = !isList; s.single { // a kind of which there is but one, such as systemconfiguration
			return []map[string]any{page}, nil
		}
		for _, one := range results {
			o, _ := one.(map[string]any)
			objects = append(objects, o)
		}
		next, _ = page["next"].(string)
	}
	return objects, nil
}

// do makes a request and reads its answer.
func (s *aviShell) do(req *http.Request, into any) error {
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, aviShellAnswer))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return s.refused(resp, body)
	}
	return json.Unmarshal(body, into)
}

// refused is the error of an answer that is none, in the controller's words where it has some.
func (s *aviShell) refused(resp *http.Response, body []byte) error {
	var words struct{ Error string }
	switch err := json.Unmarshal(body, &words); {
	case err == nil && words.Error != "":
		return fmt.Errorf("the controller answers %s: %.300q", resp.Status, words.Error)
	case resp.StatusCode == http.StatusNotFound && len(body) == 0:
		return errors.New("the controller has no such kind of object")
	}
	return fmt.Errorf("the controller answers %s: %.300q", resp.Status, body)
}
